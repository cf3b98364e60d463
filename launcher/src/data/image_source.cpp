#include "data/images.hpp"
#include "data/sources.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::launcher::data {
namespace {

namespace fs = std::filesystem;

struct Image {
    fs::path file;
    std::int64_t label = 0;
};

std::string size_text(const ImageInfo& info) {
    return fmt::format("{} x {} with {} channel{} of {} bits",
                       info.height,
                       info.width,
                       info.channels,
                       info.channels == 1 ? "" : "s",
                       info.is_wide ? 16 : 8);
}

std::vector<fs::path> sorted_entries(const fs::path& folder) {
    std::vector<fs::path> entries;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
        entries.push_back(at->path());
    }
    if (error) {
        throw Error(fmt::format("cannot read the folder '{}': {}; check its permissions",
                                folder.string(),
                                error.message()));
    }
    std::ranges::sort(entries);
    return entries;
}

ImageInfo look(const fs::path& file) {
    const auto info = look_at_image(file);
    if (!info) {
        throw Error(
            fmt::format("cannot read '{}' as an image: {}", file.string(), info.error().message));
    }
    return *info;
}

class ImageSource final : public RowSource {
public:
    explicit ImageSource(const fs::path& folder) {
        std::vector<std::string> names;
        for (const fs::path& entry : sorted_entries(folder)) {
            if (fs::is_directory(entry)) {
                for (const fs::path& file : sorted_entries(entry)) {
                    add(file, static_cast<std::int64_t>(names.size()));
                }
                names.push_back(entry.filename().string());
            }
        }
        const bool has_labels = !images_.empty();
        if (!has_labels) {
            for (const fs::path& file : sorted_entries(folder)) {
                add(file, 0);
            }
        }
        if (images_.empty()) {
            throw Error(fmt::format("'{}' has no images in it, nor in folders in it; there may be "
                                    ".png, .jpg, .pgm, .ppm, .bmp and .tga",
                                    folder.string()));
        }
        info_ = look(images_.front().file);
        NewColumn images;
        images.name = "images";
        images.type = info_.is_wide ? ElementType::uint16 : ElementType::uint8;
        images.row_shape = {info_.height, info_.width};
        if (info_.channels > 1) {
            images.row_shape.push_back(info_.channels);
        }
        columns_.push_back(std::move(images));
        if (has_labels) {
            NewColumn labels = muster::data::new_column<std::int64_t>("labels");
            labels.attributes.push_back({"names", std::move(names)});
            columns_.push_back(std::move(labels));
        }
    }

    [[nodiscard]] const std::vector<NewColumn>& columns() const override { return columns_; }

    [[nodiscard]] std::uint64_t rows() const override { return images_.size(); }

    [[nodiscard]] const std::vector<ColumnBlock>& next(std::uint64_t count) override {
        bytes_.resize(count * info_.bytes());
        labels_.clear();
        for (std::uint64_t i = 0; i < count; ++i) {
            const Image& image = images_[at_ + i];
            read(image.file, std::span(bytes_).subspan(i * info_.bytes(), info_.bytes()));
            labels_.push_back(image.label);
        }
        at_ += count;
        blocks_ = {{"images",
                    columns_.front().type,
                    count * columns_.front().row_elements(),
                    bytes_.data(),
                    {}}};
        if (columns_.size() > 1) {
            blocks_.push_back(muster::data::block("labels", labels_));
        }
        return blocks_;
    }

private:
    void add(const fs::path& file, std::int64_t label) {
        if (fs::is_regular_file(file) && is_image_name(file.extension().string())) {
            images_.push_back({file, label});
        }
    }

    void read(const fs::path& file, std::span<std::byte> out) const {
        const ImageInfo info = look(file);
        if (info != info_) {
            throw Error(
                fmt::format("'{}' is {}, but '{}' is {}; images of one table have one size: "
                            "bring them to it first",
                            file.string(),
                            size_text(info),
                            images_.front().file.string(),
                            size_text(info_)));
        }
        if (const auto loaded = read_image(file, info_, out); !loaded) {
            throw Error(fmt::format(
                "cannot read '{}' as an image: {}", file.string(), loaded.error().message));
        }
    }

    std::vector<Image> images_;
    ImageInfo info_;
    std::vector<NewColumn> columns_;
    std::uint64_t at_ = 0;
    std::vector<std::byte> bytes_;
    std::vector<std::int64_t> labels_;
    std::vector<ColumnBlock> blocks_;
};

} // namespace

std::unique_ptr<RowSource> open_images(const fs::path& folder) {
    return std::make_unique<ImageSource>(folder);
}

} // namespace muster::launcher::data
