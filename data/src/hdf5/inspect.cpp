#include "hdf5/describe.hpp"
#include "hdf5/read_attributes.hpp"

#include <muster/data/inspect.hpp>

namespace muster::data {

FileReport inspect(const std::filesystem::path& path) {
    FileReport report;
    report.file = path.string();
    const hdf5::File file = hdf5::open_file(path);
    std::error_code ignored;
    report.file_bytes = std::filesystem::file_size(path, ignored);
    report.generation = hdf5::read_generation(file);
    hdf5::Notes notes = hdf5::read_attributes({report.file}, file.get());
    report.attributes = std::move(notes.attributes);
    std::erase_if(report.attributes, [](const Attribute& attribute) {
        return attribute.name == hdf5::generation_name; // said above
    });
    report.other_attributes = std::move(notes.others);
    for (const std::string& name : hdf5::dataset_names(file, report.file)) {
        const hdf5::Dataset dataset = hdf5::open_dataset(file, report.file, name);
        const hdf5::Subject subject{report.file, name};
        DatasetReport one;
        one.column = hdf5::describe(dataset, report.file, name);
        hdf5::Notes own = hdf5::read_attributes(subject, dataset.get());
        one.attributes = std::move(own.attributes);
        one.other_attributes = std::move(own.others);
        one.sources = hdf5::virtual_sources(subject, dataset.get());
        report.datasets.push_back(std::move(one));
    }
    return report;
}

} // namespace muster::data
