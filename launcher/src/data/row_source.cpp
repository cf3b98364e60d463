#include "data/row_source.hpp"

#include <muster/base/error.hpp>
#include <muster/data/row_stream.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::launcher::data {
namespace {

/// "float32 of 28 x 28".
std::string shape_of(const NewColumn& column) {
    std::string text(muster::data::to_string(column.type));
    if (column.string_bytes > 0) {
        text += fmt::format(" of {} bytes", column.string_bytes);
    }
    return column.row_shape.empty()
               ? text
               : fmt::format("{} of {}", text, fmt::join(column.row_shape, " x "));
}

void same_columns(const std::vector<NewColumn>& first,
                  const std::string& first_name,
                  const std::vector<NewColumn>& other,
                  const std::string& other_name) {
    const auto refuse = [&](const std::string& text) {
        throw Error(fmt::format("'{}' cannot follow '{}': {}; all inputs need the same columns",
                                other_name,
                                first_name,
                                text));
    };
    for (const NewColumn& column : other) {
        if (std::ranges::find(first, column.name, &NewColumn::name) == first.end()) {
            refuse(fmt::format("it has a column '{}'", column.name));
        }
    }
    for (std::size_t i = 0; i < first.size(); ++i) {
        if (i >= other.size() || first[i].name != other[i].name) {
            refuse(fmt::format("it has no column '{}', or has it in another place", first[i].name));
        }
        if (first[i].type != other[i].type || first[i].row_shape != other[i].row_shape ||
            first[i].string_bytes != other[i].string_bytes) {
            refuse(fmt::format("its column '{}' is {} and not {}",
                               first[i].name,
                               shape_of(other[i]),
                               shape_of(first[i])));
        }
    }
}

class Chain final : public RowSource {
public:
    Chain(std::vector<std::unique_ptr<RowSource>> sources, const std::vector<std::string>& names)
        : sources_(std::move(sources)) {
        for (std::size_t i = 0; i < sources_.size(); ++i) {
            same_columns(columns(), names.front(), sources_[i]->columns(), names[i]);
            rows_ += sources_[i]->rows();
        }
    }

    [[nodiscard]] const std::vector<NewColumn>& columns() const override {
        return sources_.front()->columns();
    }

    [[nodiscard]] std::uint64_t rows() const override { return rows_; }

    [[nodiscard]] const std::vector<ColumnBlock>& next(std::uint64_t count) override {
        while (at_ + 1 < sources_.size() && taken_ == sources_[at_]->rows()) {
            ++at_;
            taken_ = 0;
        }
        const std::uint64_t left = sources_[at_]->rows() - taken_;
        if (count <= left) {
            taken_ += count;
            return sources_[at_]->next(count);
        }
        return join(count);
    }

private:
    /// A batch that spans sources: its pieces are copied behind one another.
    const std::vector<ColumnBlock>& join(std::uint64_t count) {
        bytes_.assign(columns().size(), {});
        strings_.assign(columns().size(), {});
        std::uint64_t got = 0;
        while (got < count) {
            const std::uint64_t piece = std::min(count - got, sources_[at_]->rows() - taken_);
            const std::vector<ColumnBlock>& blocks = sources_[at_]->next(piece);
            for (std::size_t i = 0; i < blocks.size(); ++i) {
                const auto* const values = static_cast<const std::byte*>(blocks[i].values);
                const std::uint64_t size = blocks[i].elements * columns()[i].element_bytes();
                bytes_[i].insert(bytes_[i].end(), values, values + size);
                strings_[i].insert(
                    strings_[i].end(), blocks[i].strings.begin(), blocks[i].strings.end());
            }
            taken_ += piece;
            got += piece;
            if (got < count) {
                ++at_;
                taken_ = 0;
            }
        }
        blocks_.clear();
        for (std::size_t i = 0; i < columns().size(); ++i) {
            const NewColumn& column = columns()[i];
            blocks_.push_back({column.name,
                               column.type,
                               count * column.row_elements(),
                               bytes_[i].data(),
                               strings_[i]});
        }
        return blocks_;
    }

    std::vector<std::unique_ptr<RowSource>> sources_;
    std::uint64_t rows_ = 0;
    std::size_t at_ = 0;
    std::uint64_t taken_ = 0; ///< Of sources_[at_].
    std::vector<std::vector<std::byte>> bytes_;
    std::vector<std::vector<std::string>> strings_;
    std::vector<ColumnBlock> blocks_;
};

class Beside final : public RowSource {
public:
    Beside(std::vector<std::unique_ptr<RowSource>> sources, const std::vector<std::string>& names)
        : sources_(std::move(sources)) {
        for (std::size_t i = 0; i < sources_.size(); ++i) {
            if (sources_[i]->rows() != rows()) {
                throw Error(
                    fmt::format("'{}' has {} rows, but '{}' has {}; columns of one table need "
                                "the same number",
                                names.front(),
                                rows(),
                                names[i],
                                sources_[i]->rows()));
            }
            const auto& columns = sources_[i]->columns();
            columns_.insert(columns_.end(), columns.begin(), columns.end());
        }
    }

    [[nodiscard]] const std::vector<NewColumn>& columns() const override { return columns_; }

    [[nodiscard]] std::uint64_t rows() const override { return sources_.front()->rows(); }

    [[nodiscard]] const std::vector<ColumnBlock>& next(std::uint64_t count) override {
        blocks_.clear();
        for (const auto& source : sources_) {
            const auto& blocks = source->next(count);
            blocks_.insert(blocks_.end(), blocks.begin(), blocks.end());
        }
        return blocks_;
    }

private:
    std::vector<std::unique_ptr<RowSource>> sources_;
    std::vector<NewColumn> columns_;
    std::vector<ColumnBlock> blocks_;
};

class TableFile final : public RowSource {
public:
    TableFile(const std::filesystem::path& file, const std::vector<std::string>& columns)
        : stream_(file, columns) {}

    [[nodiscard]] const std::vector<NewColumn>& columns() const override {
        return stream_.columns();
    }

    [[nodiscard]] std::uint64_t rows() const override { return stream_.rows(); }

    [[nodiscard]] const std::vector<ColumnBlock>& next(std::uint64_t count) override {
        const auto& blocks = stream_.read(at_, count);
        at_ += count;
        return blocks;
    }

private:
    muster::data::RowStream stream_;
    std::uint64_t at_ = 0;
};

} // namespace

std::unique_ptr<RowSource> one_after_the_other(std::vector<std::unique_ptr<RowSource>> sources,
                                               const std::vector<std::string>& names) {
    if (sources.size() == 1) {
        return std::move(sources.front());
    }
    return std::make_unique<Chain>(std::move(sources), names);
}

std::unique_ptr<RowSource> side_by_side(std::vector<std::unique_ptr<RowSource>> sources,
                                        const std::vector<std::string>& names) {
    if (sources.size() == 1) {
        return std::move(sources.front());
    }
    return std::make_unique<Beside>(std::move(sources), names);
}

std::unique_ptr<RowSource> open_table(const std::filesystem::path& file,
                                      const std::vector<std::string>& columns) {
    return std::make_unique<TableFile>(file, columns);
}

} // namespace muster::launcher::data
