#pragma once

#include <perfloc/detail/export.hpp>
#include <perfloc/events.hpp>

#include <iosfwd>
#include <memory>
#include <string>

namespace perfloc {

/// Writes what it hears as a file in the Trace Event Format (JSON, `{"traceEvents":[...]}`), which Perfetto
/// (ui.perfetto.dev) and Chromium (chrome://tracing) open. One track shows the collections of a heap with their phases, one
/// the pauses and slices of the mutator, one the slices of the collector's thread; a counter shows bytes used and committed.
///
/// Memory is bounded: text is gathered in a buffer of 64 KiB, which is written out when it is full, and by flush() and
/// close(). An event costs about a microsecond, and every few hundredth one a write of 64 KiB, both inside a pause:
/// do not measure latency with a writer added, but to see where it comes from. flush() at an idle moment moves the
/// write there.
///
/// May be added to several heaps, and used by several threads.
class PERFLOC_API TraceEventWriter final : public EventListener {
public:
    /// Writes to a stream, which must outlive the writer and is used by nobody else meanwhile.
    explicit TraceEventWriter(std::ostream& out);
    /// Creates the file, or empties it. Throws Error where that fails.
    explicit TraceEventWriter(const std::string& path);
    /// Closes. The writer must be removed from its heaps, or these be gone.
    ~TraceEventWriter() override;

    /// Writes what the buffer holds.
    void flush() noexcept;
    /// Completes the JSON (before that it is none) and writes it out; what comes later is dropped. O(1).
    void close() noexcept;
    /// Everything so far was written, as far as the stream knows.
    bool ok() const noexcept;

    void on_collection_begun(const CollectionBegunEvent& event) noexcept override;
    void on_phase_entered(const PhaseEnteredEvent& event) noexcept override;
    void on_slice_done(const SliceDoneEvent& event) noexcept override;
    void on_paused(const PausedEvent& event) noexcept override;
    void on_collection_ended(const CollectionEndedEvent& event) noexcept override;
    void on_memory(const MemoryEvent& event) noexcept override;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace perfloc
