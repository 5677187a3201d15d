// Finding the text files below a directory, and reading them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace index_files {

/// What the user can set right: a directory, an option. The program says what() and exits with 2.
class InputError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct Corpus {
    std::filesystem::path directory;
    std::vector<std::filesystem::path> files;  // in the order of their names: the same on every run
    std::uint64_t bytes = 0;
    std::uint64_t skipped_binary = 0;
    std::uint64_t skipped_large = 0;
    std::uint64_t skipped_unreadable = 0;
};

inline constexpr std::size_t kLargestFile = std::size_t{8} << 20;
inline constexpr std::size_t kBinaryProbe = 4096;  // a file with a NUL in its first so many bytes is no text

/// Reads whole files into one buffer that is used again for each.
class FileReader {
public:
    /// The file's text, valid until the next call. Throws std::system_error, which names the file.
    std::string_view read(const std::filesystem::path& path);

private:
    std::string buffer_;
};

/// Every text file below `directory`, at most `max_files` (0: all). Links are not followed. Each file is read
/// once, so that the collector that goes first does not pay for a cold page cache.
/// Throws InputError if the directory cannot be read or holds no text file.
Corpus find_corpus(const std::filesystem::path& directory, std::size_t max_files, bool show_progress);

}  // namespace index_files
