#include "corpus.hpp"

#include "progress.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace index_files {

namespace {

namespace fs = std::filesystem;

class FileDescriptor {
public:
    explicit FileDescriptor(const fs::path& path) : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
    ~FileDescriptor() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;

    int get() const { return descriptor_; }

private:
    int descriptor_;
};

[[noreturn]] void throw_errno(const fs::path& path) {
    throw std::system_error(errno, std::generic_category(), path.string());
}

std::vector<fs::path> list_files(const fs::path& directory, std::uint64_t& unreadable) {
    std::error_code error;
    const fs::file_status status = fs::status(directory, error);
    if (!fs::exists(status)) throw InputError(fmt::format("--dir: {}: no such directory", directory.string()));
    if (!fs::is_directory(status)) throw InputError(fmt::format("--dir: {}: not a directory", directory.string()));
    fs::directory_iterator(directory, error);  // an unreadable directory further down is only counted
    if (error) throw InputError(fmt::format("--dir: {}: {}", directory.string(), error.message()));

    std::vector<fs::path> files;
    std::vector<fs::path> pending{directory};
    while (!pending.empty()) {
        const fs::path current = std::move(pending.back());
        pending.pop_back();
        fs::directory_iterator entries(current, error);
        for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
            std::error_code ignored;  // an entry that is gone by now is neither file nor directory
            const fs::file_status kind = entries->symlink_status(ignored);
            if (fs::is_directory(kind)) pending.push_back(entries->path());
            if (fs::is_regular_file(kind)) files.push_back(entries->path());
        }
        if (error) ++unreadable;
    }
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

std::string_view FileReader::read(const fs::path& path) {
    const FileDescriptor file(path);
    struct stat status{};
    if (file.get() < 0 || ::fstat(file.get(), &status) != 0) throw_errno(path);
    buffer_.resize(static_cast<std::size_t>(status.st_size));
    std::size_t filled = 0;
    while (filled < buffer_.size()) {
        const ssize_t got = ::read(file.get(), buffer_.data() + filled, buffer_.size() - filled);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw_errno(path);
        if (got == 0) break;  // it has become shorter meanwhile
        filled += static_cast<std::size_t>(got);
    }
    return {buffer_.data(), filled};
}

Corpus find_corpus(const fs::path& directory, std::size_t max_files, bool show_progress) {
    Corpus corpus;
    corpus.directory = directory;
    const std::vector<fs::path> candidates = list_files(directory, corpus.skipped_unreadable);
    Progress progress("reading", candidates.size(), show_progress);
    FileReader reader;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        if (max_files != 0 && corpus.files.size() == max_files) break;
        progress.show(i);
        std::error_code error;
        const std::uintmax_t size = fs::file_size(candidates[i], error);
        if (!error && size > kLargestFile) {
            ++corpus.skipped_large;
            continue;
        }
        try {
            const std::string_view text = reader.read(candidates[i]);
            if (text.substr(0, kBinaryProbe).find('\0') != std::string_view::npos) {
                ++corpus.skipped_binary;
                continue;
            }
            corpus.bytes += text.size();
            corpus.files.push_back(candidates[i]);
        } catch (const std::system_error&) {
            ++corpus.skipped_unreadable;
        }
    }
    if (corpus.files.empty()) {
        throw InputError(fmt::format("--dir: {}: no text files ({} binary, {} too large, {} unreadable)",
                                     directory.string(), corpus.skipped_binary, corpus.skipped_large,
                                     corpus.skipped_unreadable));
    }
    return corpus;
}

}  // namespace index_files
