#include "reader.hpp"

#include "convert.hpp"
#include "read_requests.hpp"

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <tuple>
#include <unordered_map>

namespace muster::data {
namespace {

/// A column of which no more than this part of the cache is taken is read by block, and so kept: a
/// row costs a call otherwise.
constexpr std::uint64_t kept_column_share = 2;

/// Blocks of decoded chunks, and of rows as they are.
constexpr std::uint64_t decoded_block_bytes = 256U << 10U;
constexpr std::uint64_t plain_block_bytes = 1U << 20U;

/// At a time, where bytes are converted on their way.
constexpr std::uint64_t converted_bytes = 256U << 10U;

constexpr std::size_t hdf5_open_max = 64;

constexpr unsigned block_bits = 40;

std::uint64_t out_element_bytes(const Column& column, ElementType as) {
    return column.type == as ? column.element_bytes : size_bytes(as);
}

} // namespace

/// A row that was asked for.
struct Reader::Item {
    std::size_t dataset = 0;
    std::uint64_t row = 0;   ///< In the dataset.
    std::size_t place = 0;   ///< In the output.
    std::uint64_t count = 1; ///< Rows that follow one another here and there; of by_row only.
};

/// Memory of one thread, reused from call to call.
struct Reader::Workspace {
    std::vector<Item> by_row;
    std::vector<Item> by_block;
    std::vector<Item> by_hdf5;
    std::vector<ReadRequest> requests;
    std::vector<std::byte> bytes;   ///< Rows before they are converted.
    std::vector<std::byte> stored;  ///< A chunk as it is in the file.
    std::vector<std::byte> decoded; ///< A chunk of which a part is wanted.
    std::vector<std::byte> block;   ///< Where the cache has no room.
    FilterPipeline::Scratch scratch;

    static Workspace& of_this_thread() {
        thread_local Workspace workspace;
        return workspace;
    }
};

Reader::Reader(Catalog catalog, const TableOptions& options)
    : catalog_(std::move(catalog)), cache_bytes_max_(options.memory_bytes_max),
      plans_(catalog_.datasets.size()) {
    for (const Catalog::File& file : catalog_.files) {
        files_.add(file.path, file.stamp);
    }
    for (std::size_t i = 0; i < catalog_.columns.size(); ++i) {
        const std::uint64_t bytes = catalog_.columns[i].rows() * catalog_.columns[i].row_bytes();
        for (const ColumnPart& part : catalog_.parts[i]) {
            plan(part.dataset, bytes);
        }
    }
    cache_ = BlockCache::make_private(slot_bytes_, cache_bytes_max_);
}

void Reader::plan(std::size_t index, std::uint64_t column_bytes) {
    const StoredDataset& dataset = catalog_.datasets[index];
    const Column& column = dataset.column;
    Plan& plan = plans_[index];
    plan.row_bytes = column.row_bytes();
    if (dataset.storage.kind == Storage::Kind::opaque || plan.row_bytes == 0) {
        return;
    }
    plan.has_blocks = true;
    plan.has_whole_rows = true;
    std::uint64_t unit_rows = 1;
    bool is_plain = true;
    if (dataset.storage.kind == Storage::Kind::chunked) {
        plan.chunk_rows = column.chunk.front();
        plan.chunk_bytes = column.element_bytes;
        for (std::size_t axis = 0; axis < column.chunk.size(); ++axis) {
            plan.chunk_bytes *= column.chunk[axis];
            if (axis > 0) {
                plan.has_whole_rows =
                    plan.has_whole_rows && column.chunk[axis] == column.shape[axis];
                plan.row_chunks *=
                    (column.shape[axis] + column.chunk[axis] - 1) / column.chunk[axis];
            }
        }
        plan.pipeline.emplace(column.filters, plan.chunk_bytes);
        unit_rows = plan.chunk_rows;
        is_plain = column.filters.empty() && plan.has_whole_rows;
    }
    const std::uint64_t wanted = is_plain ? plain_block_bytes : decoded_block_bytes;
    plan.block_rows = unit_rows * std::max<std::uint64_t>(1, wanted / (unit_rows * plan.row_bytes));
    const bool is_kept = column_bytes <= cache_bytes_max_ / kept_column_share;
    plan.way = is_plain && !is_kept ? Way::row : Way::block;
    slot_bytes_ = std::max(slot_bytes_, std::min(plan.block_rows, column.rows()) * plan.row_bytes);
}

std::uint64_t Reader::block_key(std::size_t dataset, std::uint64_t block) const {
    MUSTER_ASSERT(block < (std::uint64_t{1} << block_bits));
    return (static_cast<std::uint64_t>(dataset) << block_bits) | block;
}

std::shared_ptr<const FileSet::Descriptor> Reader::open(std::size_t dataset) {
    return files_.open(catalog_.datasets[dataset].file);
}

void Reader::fill(const StoredDataset& dataset, std::byte* out, std::uint64_t bytes) const {
    const std::vector<std::byte>& value = dataset.storage.fill_value;
    if (value.empty()) {
        std::memset(out, 0, bytes);
        return;
    }
    for (std::uint64_t at = 0; at < bytes; at += value.size()) {
        std::memcpy(out + at, value.data(), value.size());
    }
}

/// Where a row that lies in the file as it is begins, and how many rows follow it there, with
/// itself.
std::uint64_t
Reader::row_address(std::size_t index, std::uint64_t row, std::uint64_t& rows_after) const {
    const StoredDataset& dataset = catalog_.datasets[index];
    const Plan& plan = plans_[index];
    if (dataset.storage.kind == Storage::Kind::contiguous) {
        rows_after = dataset.column.rows() - row;
        return dataset.storage.address == no_address
                   ? no_address
                   : dataset.storage.address + row * plan.row_bytes;
    }
    const StoredChunk& chunk = dataset.storage.chunks[row / plan.chunk_rows];
    const std::uint64_t in_chunk = row % plan.chunk_rows;
    rows_after = std::min(plan.chunk_rows - in_chunk, dataset.column.rows() - row);
    return chunk.address == no_address ? no_address : chunk.address + in_chunk * plan.row_bytes;
}

void Reader::read_range(std::size_t index,
                        std::uint64_t row,
                        std::uint64_t count,
                        ElementType as,
                        std::byte* out,
                        const FileSet::Descriptor& descriptor,
                        std::vector<std::byte>& scratch) {
    const StoredDataset& dataset = catalog_.datasets[index];
    const Plan& plan = plans_[index];
    const bool converts = !is_as_stored(dataset.column, as);
    const std::uint64_t out_row_bytes =
        dataset.column.row_elements() * out_element_bytes(dataset.column, as);
    while (count > 0) {
        std::uint64_t rows = 0;
        const std::uint64_t address = row_address(index, row, rows);
        rows = std::min(rows, count);
        if (converts) {
            rows = std::min(rows, std::max<std::uint64_t>(1, converted_bytes / plan.row_bytes));
            scratch.resize(rows * plan.row_bytes);
        }
        std::byte* const to = converts ? scratch.data() : out;
        if (address == no_address) {
            fill(dataset, to, rows * plan.row_bytes);
        } else {
            files_.read(dataset.file,
                        descriptor,
                        address,
                        {to, rows * plan.row_bytes},
                        dataset.column.name);
            bytes_read_.fetch_add(rows * plan.row_bytes, std::memory_order_relaxed);
            reads_.fetch_add(1, std::memory_order_relaxed);
        }
        if (converts) {
            convert(dataset.column, to, as, out, rows * dataset.column.row_elements());
        }
        out += rows * out_row_bytes;
        row += rows;
        count -= rows;
    }
}

void Reader::gather_by_row(std::span<const Item> items,
                           ElementType as,
                           std::byte* out,
                           std::uint64_t out_row_bytes,
                           std::size_t places) {
    Workspace& workspace = Workspace::of_this_thread();
    const std::uint64_t row_bytes = plans_[items.front().dataset].row_bytes; // of all alike
    // Which files: few for many rows, or as many as rows.
    std::unordered_map<std::size_t, std::shared_ptr<const FileSet::Descriptor>> descriptors;
    std::size_t last_file = files_.size();
    int fd = -1;
    std::vector<ReadRequest>& requests = workspace.requests;
    requests.clear();
    std::vector<std::size_t> dataset_of;
    std::uint64_t bytes = 0;
    for (const Item& item : items) {
        const StoredDataset& dataset = catalog_.datasets[item.dataset];
        const bool converts = !is_as_stored(dataset.column, as);
        if (converts) {
            workspace.bytes.resize(places * row_bytes);
        }
        std::byte* to = converts ? workspace.bytes.data() + item.place * row_bytes
                                 : out + item.place * out_row_bytes;
        if (dataset.file != last_file) {
            auto& descriptor = descriptors[dataset.file];
            descriptor = descriptor ? descriptor : files_.open(dataset.file);
            fd = descriptor->fd();
            last_file = dataset.file;
        }
        for (std::uint64_t row = item.row, end = item.row + item.count; row < end;) {
            std::uint64_t run = 0;
            const std::uint64_t address = row_address(item.dataset, row, run);
            run = std::min(run, end - row);
            if (address == no_address) {
                fill(dataset, to, run * row_bytes);
            } else {
                requests.push_back({fd, address, to, run * row_bytes});
                dataset_of.push_back(item.dataset);
                bytes += run * row_bytes;
            }
            to += run * row_bytes;
            row += run;
        }
    }
    read_requests(requests);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const ReadRequest& request = requests[i];
        if (request.done < request.bytes) { // the rest, or why it does not come
            const StoredDataset& dataset = catalog_.datasets[dataset_of[i]];
            files_.read(dataset.file,
                        *descriptors.at(dataset.file),
                        request.offset + request.done,
                        {request.to + request.done, request.bytes - request.done},
                        dataset.column.name);
        }
    }
    bytes_read_.fetch_add(bytes, std::memory_order_relaxed);
    reads_.fetch_add(requests.size(), std::memory_order_relaxed);
    for (const Item& item : items) {
        const Column& column = catalog_.datasets[item.dataset].column;
        if (!is_as_stored(column, as)) {
            convert(column,
                    workspace.bytes.data() + item.place * row_bytes,
                    as,
                    out + item.place * out_row_bytes,
                    item.count * column.row_elements());
        }
    }
}

void Reader::read_chunk(std::size_t index,
                        const FileSet::Descriptor& descriptor,
                        std::size_t number,
                        std::span<std::byte> out) {
    const StoredDataset& dataset = catalog_.datasets[index];
    const StoredChunk& chunk = dataset.storage.chunks[number];
    if (chunk.address == no_address) {
        fill(dataset, out.data(), out.size());
        return;
    }
    const FilterPipeline& pipeline = *plans_[index].pipeline;
    bytes_read_.fetch_add(chunk.bytes, std::memory_order_relaxed);
    reads_.fetch_add(1, std::memory_order_relaxed);
    chunks_decoded_.fetch_add(1, std::memory_order_relaxed);
    const auto damaged = [&](const std::string& what) {
        throw Error(
            fmt::format("a chunk of dataset '{}' at offset {} of '{}' is damaged: {}; write "
                        "or copy the file again",
                        dataset.column.name,
                        chunk.address,
                        files_.path(dataset.file),
                        what));
    };
    if (pipeline.is_plain(chunk.filter_mask)) {
        if (chunk.bytes != out.size()) {
            damaged(fmt::format("it has {} bytes instead of {}", chunk.bytes, out.size()));
        }
        files_.read(dataset.file, descriptor, chunk.address, out, dataset.column.name);
        return;
    }
    if (chunk.bytes > files_.stamp(dataset.file).bytes) {
        damaged(fmt::format("it has {} bytes, more than the file", chunk.bytes));
    }
    Workspace& workspace = Workspace::of_this_thread();
    workspace.stored.resize(chunk.bytes);
    files_.read(dataset.file, descriptor, chunk.address, workspace.stored, dataset.column.name);
    try {
        pipeline.decode(workspace.stored, chunk.filter_mask, out, workspace.scratch);
    } catch (const DecodeError& error) {
        damaged(error.what());
    }
}

namespace {

/// Copies the part of a chunk that is inside the dataset to its place among whole rows.
void place_chunk(const Column& column,
                 const std::vector<std::uint64_t>& first, // the chunk's first element, per axis
                 std::uint64_t rows,
                 const std::byte* chunk,
                 std::byte* out) {
    const std::size_t rank = column.shape.size();
    std::vector<std::uint64_t> extent(rank);
    std::vector<std::uint64_t> chunk_stride(rank);
    std::vector<std::uint64_t> out_stride(rank);
    std::uint64_t in_chunk = column.element_bytes;
    std::uint64_t in_rows = column.element_bytes;
    for (std::size_t axis = rank; axis-- > 0;) {
        extent[axis] =
            axis == 0 ? rows : std::min(column.chunk[axis], column.shape[axis] - first[axis]);
        chunk_stride[axis] = in_chunk;
        out_stride[axis] = in_rows;
        in_chunk *= column.chunk[axis];
        in_rows *= column.shape[axis];
    }
    std::uint64_t at = 0;
    for (std::size_t axis = 1; axis < rank; ++axis) {
        at += first[axis] * out_stride[axis];
    }
    const std::uint64_t run = extent[rank - 1] * column.element_bytes;
    std::vector<std::uint64_t> place(rank, 0);
    for (bool more = true; more;) {
        std::uint64_t from = 0;
        std::uint64_t to = at;
        for (std::size_t axis = 0; axis + 1 < rank; ++axis) {
            from += place[axis] * chunk_stride[axis];
            to += place[axis] * out_stride[axis];
        }
        std::memcpy(out + to, chunk + from, run);
        more = false;
        for (std::size_t axis = rank - 1; axis-- > 0;) {
            if (++place[axis] < extent[axis]) {
                more = true;
                break;
            }
            place[axis] = 0;
        }
    }
}

} // namespace

void Reader::decode_chunk_row(std::size_t index,
                              const FileSet::Descriptor& descriptor,
                              std::uint64_t chunk_row,
                              std::uint64_t rows,
                              std::byte* out) {
    const Column& column = catalog_.datasets[index].column;
    const Plan& plan = plans_[index];
    if (plan.has_whole_rows && rows == plan.chunk_rows) {
        read_chunk(index, descriptor, chunk_row, {out, plan.chunk_bytes});
        return;
    }
    std::vector<std::uint64_t> first(column.shape.size(), 0);
    for (std::uint64_t i = 0; i < plan.row_chunks; ++i) {
        Workspace& workspace = Workspace::of_this_thread();
        workspace.decoded.resize(plan.chunk_bytes);
        read_chunk(index, descriptor, chunk_row * plan.row_chunks + i, workspace.decoded);
        place_chunk(column, first, rows, workspace.decoded.data(), out);
        for (std::size_t axis = column.shape.size(); axis-- > 1;) {
            first[axis] += column.chunk[axis];
            if (first[axis] < column.shape[axis]) {
                break;
            }
            first[axis] = 0;
        }
    }
}

void Reader::decode_block(std::size_t index, std::uint64_t block, std::byte* out) {
    const StoredDataset& dataset = catalog_.datasets[index];
    const Plan& plan = plans_[index];
    const auto descriptor = open(index);
    std::uint64_t row = block * plan.block_rows;
    const std::uint64_t end = std::min(row + plan.block_rows, dataset.column.rows());
    if (dataset.storage.kind == Storage::Kind::contiguous) {
        std::vector<std::byte> unused;
        const std::uint64_t address = dataset.storage.address;
        if (address == no_address) {
            fill(dataset, out, (end - row) * plan.row_bytes);
            return;
        }
        files_.read(dataset.file,
                    *descriptor,
                    address + row * plan.row_bytes,
                    {out, (end - row) * plan.row_bytes},
                    dataset.column.name);
        bytes_read_.fetch_add((end - row) * plan.row_bytes, std::memory_order_relaxed);
        reads_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    while (row < end) {
        const std::uint64_t rows = std::min(plan.chunk_rows, end - row);
        decode_chunk_row(index, *descriptor, row / plan.chunk_rows, rows, out);
        out += rows * plan.row_bytes;
        row += rows;
    }
}

void Reader::copy_items(std::span<const Item> items,
                        std::uint64_t block,
                        const std::byte* bytes,
                        ElementType as,
                        std::byte* out,
                        std::uint64_t out_row_bytes) const {
    const std::size_t dataset = items.front().dataset;
    const Column& column = catalog_.datasets[dataset].column;
    const Plan& plan = plans_[dataset];
    const std::uint64_t first = block * plan.block_rows;
    const std::uint64_t elements = column.row_elements();
    for (std::size_t i = 0; i < items.size();) {
        std::size_t count = 1; // of the run that is consecutive here and there
        while (i + count < items.size() && items[i + count].row == items[i].row + count &&
               items[i + count].place == items[i].place + count) {
            ++count;
        }
        convert(column,
                bytes + (items[i].row - first) * plan.row_bytes,
                as,
                out + items[i].place * out_row_bytes,
                count * elements);
        i += count;
    }
}

void Reader::gather_by_block(std::vector<Item>& items,
                             ElementType as,
                             std::byte* out,
                             std::uint64_t out_row_bytes) {
    const auto is_before = [](const Item& a, const Item& b) {
        return std::tie(a.dataset, a.row) < std::tie(b.dataset, b.row);
    };
    if (!std::is_sorted(items.begin(), items.end(), is_before)) {
        std::sort(items.begin(), items.end(), is_before);
    }

    struct Group {
        std::uint64_t block;
        std::size_t begin;
        std::size_t end;
    };

    std::vector<Group> groups;
    for (std::size_t i = 0; i < items.size(); ++i) {
        const std::uint64_t block = items[i].row / plans_[items[i].dataset].block_rows;
        if (groups.empty() || groups.back().block != block ||
            items[groups.back().begin].dataset != items[i].dataset) {
            groups.push_back({block, i, i});
        }
        groups.back().end = i + 1;
    }
    // What others are filling is left for later: meanwhile this thread fills what nobody does.
    std::vector<Group> later;
    while (!groups.empty()) {
        std::uint32_t generation = 0;
        for (const Group& group : groups) {
            const std::span<const Item> wanted(&items[group.begin], group.end - group.begin);
            const std::size_t dataset = wanted.front().dataset;
            BlockCache::Answer answer = cache_->acquire(block_key(dataset, group.block));
            switch (answer.state) {
            case BlockCache::State::busy:
                generation = later.empty() ? answer.generation : generation;
                later.push_back(group);
                continue;
            case BlockCache::State::claimed:
                decode_block(dataset, group.block, answer.pin.bytes().data());
                answer.pin.publish();
                break;
            case BlockCache::State::ready:
                break;
            case BlockCache::State::full: {
                std::vector<std::byte>& own = Workspace::of_this_thread().block;
                own.resize(slot_bytes_);
                decode_block(dataset, group.block, own.data());
                copy_items(wanted, group.block, own.data(), as, out, out_row_bytes);
                continue;
            }
            }
            copy_items(wanted, group.block, answer.pin.bytes().data(), as, out, out_row_bytes);
        }
        if (later.size() == groups.size()) {
            cache_->wait(generation);
        }
        groups.swap(later);
        later.clear();
    }
}

void Reader::gather(std::size_t column,
                    std::span<const std::uint64_t> rows,
                    ElementType as,
                    std::byte* out,
                    bool by_block) {
    const std::uint64_t out_row_bytes =
        catalog_.columns[column].row_elements() * out_element_bytes(catalog_.columns[column], as);
    Workspace& workspace = Workspace::of_this_thread();
    workspace.by_block.clear();
    workspace.by_hdf5.clear();
    workspace.by_row.clear();
    for (std::size_t i = 0; i < rows.size();) {
        const ColumnPart& part = catalog_.part(column, rows[i]);
        const Plan& plan = plans_[part.dataset];
        const std::uint64_t row = rows[i] - part.first_row + part.source_row;
        const Way way = by_block && plan.has_blocks ? Way::block : plan.way;
        if (way != Way::row) {
            (way == Way::block ? workspace.by_block : workspace.by_hdf5)
                .push_back({part.dataset, row, i});
            ++i;
            continue;
        }
        std::size_t count = 1;
        while (i + count < rows.size() && rows[i + count] == rows[i] + count &&
               rows[i + count] < part.first_row + part.rows) {
            ++count;
        }
        workspace.by_row.push_back({part.dataset, row, i, count});
        i += count;
    }
    if (!workspace.by_row.empty()) {
        gather_by_row(workspace.by_row, as, out, out_row_bytes, rows.size());
    }
    if (!workspace.by_block.empty()) {
        gather_by_block(workspace.by_block, as, out, out_row_bytes);
    }
    std::vector<Item>& items = workspace.by_hdf5;
    std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
        return std::tie(a.dataset, a.row) < std::tie(b.dataset, b.row);
    });
    for (std::size_t i = 0; i < items.size();) {
        std::size_t count = 1;
        while (i + count < items.size() && items[i + count].dataset == items[i].dataset &&
               items[i + count].row == items[i].row + count &&
               items[i + count].place == items[i].place + count) {
            ++count;
        }
        read_by_hdf5(
            items[i].dataset, items[i].row, count, as, out + items[i].place * out_row_bytes);
        i += count;
    }
}

void Reader::read_rows(
    std::size_t column, std::uint64_t first, std::uint64_t count, ElementType as, std::byte* out) {
    const std::uint64_t out_row_bytes =
        catalog_.columns[column].row_elements() * out_element_bytes(catalog_.columns[column], as);
    Workspace& workspace = Workspace::of_this_thread();
    while (count > 0) {
        const ColumnPart& part = catalog_.part(column, first);
        const Plan& plan = plans_[part.dataset];
        const Column& stored = catalog_.datasets[part.dataset].column;
        std::uint64_t row = first - part.first_row + part.source_row;
        std::uint64_t rows = std::min(count, part.first_row + part.rows - first);
        if (plan.way == Way::row) {
            read_range(part.dataset, row, rows, as, out, *open(part.dataset), workspace.bytes);
        } else if (plan.way == Way::hdf5) {
            read_by_hdf5(part.dataset, row, rows, as, out);
        } else {
            const std::uint64_t block = row / plan.block_rows;
            const std::uint64_t begin = block * plan.block_rows;
            const std::uint64_t end = std::min(begin + plan.block_rows, stored.rows());
            rows = std::min(rows, end - row);
            // A whole block goes straight to the output: who reads ranges will not come back for
            // it.
            if (row != begin || rows != end - begin || !is_as_stored(stored, as) ||
                !decode_unless_ready(part.dataset, block, out)) {
                workspace.by_block.assign(1, {part.dataset, row, 0});
                for (std::uint64_t i = 1; i < rows; ++i) {
                    workspace.by_block.push_back({part.dataset, row + i, i});
                }
                gather_by_block(workspace.by_block, as, out, out_row_bytes);
            }
        }
        first += rows;
        count -= rows;
        out += rows * out_row_bytes;
    }
}

bool Reader::decode_unless_ready(std::size_t dataset, std::uint64_t block, std::byte* out) {
    if (cache_->acquire_ready(block_key(dataset, block)).state == BlockCache::State::ready) {
        return false;
    }
    decode_block(dataset, block, out);
    return true;
}

void Reader::read_by_hdf5(
    std::size_t index, std::uint64_t row, std::uint64_t count, ElementType as, std::byte* out) {
    const Column& column = catalog_.datasets[index].column;
    const auto rows = hdf5_rows(index);
    if (is_as_stored(column, as)) {
        rows->read(row, count, out);
        bytes_read_.fetch_add(count * column.row_bytes(), std::memory_order_relaxed);
        reads_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    std::vector<std::byte>& bytes = Workspace::of_this_thread().bytes;
    const std::uint64_t out_row_bytes = column.row_elements() * out_element_bytes(column, as);
    const std::uint64_t step = std::max<std::uint64_t>(1, converted_bytes / column.row_bytes());
    while (count > 0) {
        const std::uint64_t some = std::min(step, count);
        bytes.resize(some * column.row_bytes());
        rows->read(row, some, bytes.data());
        bytes_read_.fetch_add(bytes.size(), std::memory_order_relaxed);
        reads_.fetch_add(1, std::memory_order_relaxed);
        convert(column, bytes.data(), as, out, some * column.row_elements());
        out += some * out_row_bytes;
        row += some;
        count -= some;
    }
}

void Reader::read_strings(std::size_t column,
                          std::uint64_t first,
                          std::uint64_t count,
                          std::vector<std::string>& out) {
    while (count > 0) {
        const ColumnPart& part = catalog_.part(column, first);
        const std::uint64_t rows = std::min(count, part.first_row + part.rows - first);
        hdf5_rows(part.dataset)->read_strings(first - part.first_row + part.source_row, rows, out);
        first += rows;
        count -= rows;
    }
}

std::shared_ptr<Hdf5Rows> Reader::hdf5_rows(std::size_t dataset) {
    const std::lock_guard lock(hdf5_mutex_);
    const auto found = std::find_if(hdf5_open_.begin(), hdf5_open_.end(), [&](const auto& entry) {
        return entry.first == dataset;
    });
    if (found != hdf5_open_.end()) {
        hdf5_open_.splice(hdf5_open_.begin(), hdf5_open_, found);
        return found->second;
    }
    const StoredDataset& stored = catalog_.datasets[dataset];
    const auto descriptor = files_.open(stored.file); // that it is still the same
    std::shared_ptr<Hdf5Rows> rows = open_with_hdf5(files_.path(stored.file), stored.column);
    hdf5_open_.emplace_front(dataset, rows);
    if (hdf5_open_.size() > hdf5_open_max) {
        hdf5_open_.pop_back();
    }
    return rows;
}

void Reader::load_block(std::size_t column, std::uint64_t row) {
    const ColumnPart& part = catalog_.part(column, row);
    const Plan& plan = plans_[part.dataset];
    if (!plan.has_blocks) {
        return;
    }
    const std::uint64_t block = (row - part.first_row + part.source_row) / plan.block_rows;
    BlockCache::Answer answer = cache_->acquire(block_key(part.dataset, block));
    if (answer.state == BlockCache::State::claimed) {
        decode_block(part.dataset, block, answer.pin.bytes().data());
        answer.pin.publish();
    }
}

std::vector<std::uint64_t> Reader::block_starts(std::size_t column) const {
    std::vector<std::uint64_t> starts;
    for (const ColumnPart& part : catalog_.parts[column]) {
        const Plan& plan = plans_[part.dataset];
        const std::uint64_t step =
            plan.has_blocks
                ? plan.block_rows
                : std::max<std::uint64_t>(
                      1, plain_block_bytes / std::max<std::uint64_t>(1, plan.row_bytes));
        starts.push_back(part.first_row);
        for (std::uint64_t next = (part.source_row / step + 1) * step;
             next < part.source_row + part.rows;
             next += step) {
            starts.push_back(part.first_row + (next - part.source_row));
        }
    }
    return starts;
}

ReadStatistics Reader::statistics() const {
    return {bytes_read_.load(), reads_.load(), chunks_decoded_.load()};
}

} // namespace muster::data
