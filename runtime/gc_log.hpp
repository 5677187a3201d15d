#pragma once

#include <perfloc/events.hpp>

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace perfloc::detail {

/// What PERFLOC_LOG turns on, names separated by commas.
struct LogModes {
    bool gc = false;    ///< a line a collection, for people
    bool json = false;  ///< a JSON object a collection, one a line

    bool any() const { return gc || json; }
    /// Throws OptionError for a name that is not known.
    static LogModes parse(std::string_view names);
    static LogModes from_environment();
};

/// Writes a line at the end of each collection: one write to the stream, inside the collection's pause.
class GcLog final : public EventListener {
public:
    explicit GcLog(LogModes modes, std::FILE* out = stderr) : modes_(modes), out_(out) {}

    void on_collection_begun(const CollectionBegunEvent& event) noexcept override;
    void on_phase_entered(const PhaseEnteredEvent& event) noexcept override;
    void on_slice_done(const SliceDoneEvent& event) noexcept override;
    void on_collection_ended(const CollectionEndedEvent& event) noexcept override;

private:
    using Duration = std::chrono::nanoseconds;
    /// What a collection has done so far.
    struct Cycle {
        CollectionBegunEvent begun;
        std::vector<std::pair<const char*, Duration>> phases;  // in the order of their first beginning
        std::size_t phase = 0;                                 // the one that it is in, if there is any
        Duration phase_begun{};
        std::uint64_t slices = 0;
        std::uint64_t overruns = 0;
        Duration longest{};

        void leave_phase(Duration now);
    };

    Cycle* find(std::uint64_t number);
    void enter_phase(const PhaseEnteredEvent& event);
    static std::string line(const Cycle& cycle, const CollectionEndedEvent& event);
    static std::string json(const Cycle& cycle, const CollectionEndedEvent& event);

    LogModes modes_;
    std::FILE* out_;
    std::vector<Cycle> open_;  // innermost last
};

}  // namespace perfloc::detail
