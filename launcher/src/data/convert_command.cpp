#include "data/commands.hpp"
#include "data/output.hpp"
#include "data/sources.hpp"

#include <muster/base/error.hpp>
#include <muster/base/parse.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

namespace muster::launcher::data {
namespace {

namespace fs = std::filesystem;

/// A word of the command line: FILE, or NAME=FILE.
struct Input {
    std::optional<std::string> column{};
    fs::path file{};
    std::string text{};
};

enum class Kind : std::uint8_t { csv, npy, npz, raw, hdf5, images };

Input parse_input(const std::string& word) {
    const auto equals = word.find('=');
    std::error_code error;
    if (equals == std::string::npos || equals == 0 || fs::exists(word, error)) {
        return {std::nullopt, word, word};
    }
    return {word.substr(0, equals), word.substr(equals + 1), word};
}

Kind kind_of(const Input& input, bool is_raw) {
    std::error_code error;
    if (is_raw) {
        return Kind::raw;
    }
    if (fs::is_directory(input.file, error)) {
        return Kind::images;
    }
    std::string extension = input.file.extension().string();
    std::ranges::transform(extension, extension.begin(), [](unsigned char letter) {
        return static_cast<char>(std::tolower(letter));
    });
    if (extension == ".csv" || extension == ".tsv") {
        return Kind::csv;
    }
    if (extension == ".npy") {
        return Kind::npy;
    }
    if (extension == ".npz") {
        return Kind::npz;
    }
    if (extension == ".h5" || extension == ".hdf5" || extension == ".nc" || extension == ".he5") {
        return Kind::hdf5;
    }
    if (!fs::exists(input.file, error)) {
        throw UsageError(fmt::format("there is no '{}'; check the path", input.file.string()));
    }
    throw UsageError(
        fmt::format("what '{}' is cannot be told from its name: there may be .csv, .tsv, "
                    ".npy, .npz, .h5, .nc and folders of images; say --raw and a type for "
                    "a file of nothing but values",
                    input.file.string()));
}

/// "name=rest".
std::pair<std::string, std::string> split(const std::string& option, const std::string& text) {
    const auto equals = text.find('=');
    if (equals == 0 || equals == std::string::npos) {
        throw UsageError(fmt::format("--{} {}: a name and '=' are missing", option, text));
    }
    return {text.substr(0, equals), text.substr(equals + 1)};
}

TypeText type_of(const std::string& option, const std::string& text) {
    auto type = parse_type(text);
    if (!type) {
        throw UsageError(fmt::format("--{}: {}", option, type.error().message));
    }
    return *type;
}

std::vector<std::string> texts(const Arguments& arguments, const std::string& option) {
    return arguments.has(option) ? arguments.get<std::vector<std::string>>(option)
                                 : std::vector<std::string>{};
}

CsvOptions csv_options(const Arguments& arguments) {
    CsvOptions options;
    options.has_header = !arguments.is_set("no-header");
    if (arguments.has("delimiter")) {
        const auto& text = arguments.get<std::string>("delimiter");
        const std::string delimiter = text == "tab" || text == "\\t" ? "\t" : text;
        if (delimiter.size() != 1 || delimiter == "\"" || delimiter == "\n" || delimiter == "\r") {
            throw UsageError(fmt::format("--delimiter '{}': it is one character, or tab", text));
        }
        options.delimiter = delimiter.front();
    }
    for (const std::string& text : texts(arguments, "type")) {
        const auto [name, type] = split("type", text);
        options.types[name] = type_of("type", type);
        if (!options.types[name].row_shape.empty()) {
            throw UsageError(fmt::format("--type {}: a field of CSV is one value; --join makes "
                                         "vectors of several",
                                         text));
        }
    }
    for (const std::string& text : texts(arguments, "join")) {
        const auto [name, range] = split("join", text);
        const auto colon = range.find(':');
        if (colon == std::string::npos) {
            throw UsageError(fmt::format("--join {}: it is NAME=FIRST:LAST", text));
        }
        options.joins.push_back({name, range.substr(0, colon), range.substr(colon + 1)});
    }
    return options;
}

/// Everything of the command line that says how inputs are read.
struct Reading {
    CsvOptions csv{};
    std::optional<RawOptions> raw{};
    std::vector<std::string> columns{};
};

Reading reading(const Arguments& arguments) {
    Reading result;
    result.csv = csv_options(arguments);
    result.columns = texts(arguments, "column");
    if (arguments.has("raw")) {
        RawOptions raw;
        raw.type = type_of("raw", arguments.get<std::string>("raw"));
        raw.is_big_endian = arguments.is_set("big-endian");
        if (arguments.has("skip")) {
            const auto skip = parse_bytes(arguments.get<std::string>("skip"));
            if (!skip) {
                throw UsageError("--skip: " + skip.error().message);
            }
            raw.skip_bytes = skip->count;
        }
        result.raw = raw;
    } else if (arguments.has("skip") || arguments.is_set("big-endian")) {
        throw UsageError("--skip and --big-endian are of files that --raw describes");
    }
    return result;
}

std::unique_ptr<RowSource> open(const Input& input, const Reading& reading) {
    const Kind kind = kind_of(input, reading.raw.has_value());
    if (input.column && kind != Kind::npy && kind != Kind::raw) {
        throw UsageError(
            fmt::format("'{}': only .npy files and raw ones are single columns that a name "
                        "can be given to",
                        input.text));
    }
    const std::string column = input.column.value_or(input.file.stem().string());
    switch (kind) {
    case Kind::csv: {
        CsvOptions options = reading.csv;
        if (input.file.extension() == ".tsv" && options.delimiter == ',') {
            options.delimiter = '\t';
        }
        return open_csv(input.file, options);
    }
    case Kind::npy:
        return open_npy(input.file, column);
    case Kind::npz:
        return open_npz(input.file);
    case Kind::raw:
        return open_raw(input.file, column, *reading.raw);
    case Kind::hdf5:
        return open_table(input.file, reading.columns);
    case Kind::images:
        return open_images(input.file);
    }
    throw UsageError("no such kind of file");
}

/// Inputs with the same name follow one another; those with different names stand side by side.
std::unique_ptr<RowSource> open_all(const std::vector<Input>& inputs, const Reading& reading) {
    struct Group {
        std::optional<std::string> column;
        std::vector<std::unique_ptr<RowSource>> sources;
        std::vector<std::string> names;
    };

    std::vector<Group> groups;
    for (const Input& input : inputs) {
        auto place = std::ranges::find(groups, input.column, &Group::column);
        if (place == groups.end()) {
            groups.push_back({input.column, {}, {}});
            place = groups.end() - 1;
        }
        place->sources.push_back(open(input, reading));
        place->names.push_back(input.text);
    }
    std::vector<std::unique_ptr<RowSource>> columns;
    std::vector<std::string> names;
    for (Group& group : groups) {
        names.push_back(group.names.front());
        try {
            columns.push_back(one_after_the_other(std::move(group.sources), group.names));
        } catch (const Error& error) {
            const bool are_arrays = !group.column && inputs.front().file.extension() == ".npy";
            throw Error(std::string(error.what()) +
                            (are_arrays
                                 ? "; as columns beside one another: images=a.npy labels=b.npy"
                                 : ""),
                        error.code());
        }
    }
    return side_by_side(std::move(columns), names);
}

int run(const Arguments& arguments) {
    if (arguments.words.size() < 2) {
        throw UsageError("name what to read and what to write: muster data convert a.csv a.h5");
    }
    std::vector<Input> inputs;
    for (std::size_t i = 0; i + 1 < arguments.words.size(); ++i) {
        inputs.push_back(parse_input(arguments.words[i]));
    }
    const OutputOptions output = output_options(arguments, arguments.words.back());
    const auto source = open_all(inputs, reading(arguments));
    write_table(*source, output);
    return 0;
}

void add_options(po::options_description& options) {
    options.add_options() //
        ("type,t",
         po::value<std::vector<std::string>>()->value_name("NAME=TYPE"),
         "of a CSV file's column: float32, int8, bool, string, string8, …; found out otherwise") //
        ("join",
         po::value<std::vector<std::string>>()->value_name("NAME=FIRST:LAST"),
         "make one column, of vectors, of several of a CSV file") //
        ("delimiter",
         po::value<std::string>()->value_name("C"),
         "of CSV, or tab; a comma otherwise")                                                    //
        ("no-header", po::bool_switch(), "a CSV file begins with values; columns are c0, c1, …") //
        ("column,c",
         po::value<std::vector<std::string>>()->value_name("NAME"),
         "take this column of an HDF5 file; all otherwise") //
        ("raw",
         po::value<std::string>()->value_name("TYPE[:SHAPE]"),
         "inputs are nothing but values, of this type and shape of a row: uint8:28x28")   //
        ("skip", po::value<std::string>()->value_name("BYTES"), "in front of raw values") //
        ("big-endian", po::bool_switch(), "raw numbers have their highest byte first");
    add_output_options(options);
}

} // namespace

const Subcommand& convert_command() {
    static const Subcommand subcommand{
        .name = "data convert",
        .summary = "makes an HDF5 table of CSV, NumPy, images or raw values",
        .usage = "[options] INPUT… OUTPUT",
        .examples =
            {{"muster data convert trials.csv trials.h5",
              "a column for each of the file; types are found out and nothing is lost"},
             {"muster data convert images=x.npy labels=y.npy train.h5 --shards 8 --compress "
              "deflate --shuffle",
              "two arrays as columns of one table, in eight files that are read as one"},
             {"muster data convert photos/ photos.h5",
              "photos/cat/1.png, photos/dog/1.png, …: images, with their folders as labels"},
             {"muster data convert --raw uint8:28x28 --skip 16 images=train-images.idx3 mnist.h5",
              "values behind a header of 16 bytes"}},
        .description = "Inputs follow one another, row after row, and need the same columns. With "
                       "a name before "
                       "them (NAME=FILE) .npy files and raw ones become columns beside one "
                       "another, and those with "
                       "the same name follow one another.\n\n"
                       "CSV has quotes as RFC 4180 does. A column is int64, uint64, float64, bool "
                       "or text, whichever "
                       "holds all its values without loss; an empty field of numbers is NaN. An "
                       ".npz gives a column "
                       "for each of its arrays, in any order of bytes and of axes. Images are "
                       ".png, .jpg, .pgm, .ppm, "
                       ".bmp and .tga of one size, labels the numbers of their folders in order of "
                       "name, which are "
                       "kept beside them as the attribute 'names'.\n\n"
                       "The output appears under its name when it is complete, and not before. "
                       "With --shards it is "
                       "a small file that refers to those in OUTPUT.shards: take both along.",
        .exit_codes = {{"0", "written"},
                       {"1", "an input cannot be read, or the output not be written"},
                       {"2", "a command line that cannot be used"}},
        .words = Words::anywhere,
        .add_options = &add_options,
        .run = &run};
    return subcommand;
}

} // namespace muster::launcher::data
