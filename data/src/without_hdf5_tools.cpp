#include <muster/base/error.hpp>
#include <muster/data/inspect.hpp>
#include <muster/data/row_stream.hpp>
#include <muster/data/verify.hpp>

#include <fmt/format.h>

namespace muster::data {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& file) {
    throw Error(fmt::format("cannot open '{}': this muster was built without HDF5; install HDF5 "
                            "(Debian: libhdf5-dev) and configure with -DMUSTER_WITH_HDF5=ON",
                            file.string()));
}

} // namespace

struct RowStream::State {
    std::vector<NewColumn> columns;
    std::vector<ColumnBlock> blocks;
};

RowStream::RowStream(const std::filesystem::path& file, const std::vector<std::string>&) {
    refuse(file);
}

RowStream::~RowStream() = default;
RowStream::RowStream(RowStream&&) noexcept = default;
RowStream& RowStream::operator=(RowStream&&) noexcept = default;

std::uint64_t RowStream::rows() const {
    return 0;
}

const std::vector<NewColumn>& RowStream::columns() const {
    return state_->columns;
}

const std::vector<ColumnBlock>& RowStream::read(std::uint64_t, std::uint64_t) {
    return state_->blocks;
}

FileReport inspect(const std::filesystem::path& file) {
    refuse(file);
}

Verification verify(const std::filesystem::path& file) {
    refuse(file);
}

} // namespace muster::data
