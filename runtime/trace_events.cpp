#include <perfloc/trace_events.hpp>

#include "runtime/json_text.hpp"

#include <perfloc/errors.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <ostream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <unistd.h>

namespace perfloc {

namespace {

constexpr std::size_t kBuffer = std::size_t{64} << 10;
constexpr std::size_t kHeadroom = std::size_t{4} << 10;  // more than one event takes, unless its label is huge

/// The tracks of a heap, as threads of the process. Collections that overlap are on tracks of their own.
enum class Track : std::uint8_t { cycles = 1, mutator = 2, collector = 3, more_cycles = 4 };
constexpr std::uint64_t kTracks = 64;

std::uint64_t tid_of(std::uint64_t heap, Track track) { return heap * kTracks + static_cast<std::uint64_t>(track); }

std::string quoted(std::string_view text) {
    std::string json;
    detail::append_json(json, text);
    return json;
}

}  // namespace

struct TraceEventWriter::State {
    /// A collection that has begun, with the phase it is in.
    struct Open {
        std::uint64_t cycle = 0;  // or none
        const char* phase = nullptr;
    };
    struct HeapState {
        std::vector<Open> open;  // by their tracks
        std::chrono::nanoseconds last{};
    };

    explicit State(std::ostream& stream) : out(&stream) { begin(); }
    explicit State(const std::string& path) : file(path, std::ios::binary | std::ios::trunc), out(&file) {
        if (!file) {
            throw Error(fmt::format("perfloc: cannot write the trace file \"{}\": {}", path,
                                    std::generic_category().message(errno)));
        }
        begin();
    }

    void begin() {
        buffer.reserve(kBuffer);
        buffer += "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[";
        metadata("process_name", 0, program_invocation_short_name);
    }

    template <class... Args>
    void append(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(buffer), format, std::forward<Args>(args)...);
    }

    /// The fields that all events have. `ph` is the kind of event in the format's terms.
    void head(char ph, std::uint64_t tid, std::chrono::nanoseconds time, std::string_view name) {
        append("{}{{\"ph\":\"{}\",\"pid\":{},\"tid\":{},\"ts\":", first ? "\n" : ",\n", ph, pid, tid);
        first = false;
        microseconds(time);
        buffer += ",\"cat\":\"perfloc\",\"name\":";
        detail::append_json(buffer, name);
    }
    /// The format's unit, with all digits.
    void microseconds(std::chrono::nanoseconds time) { append("{}.{:03}", time.count() / 1000, time.count() % 1000); }
    void duration(std::chrono::nanoseconds time) {
        buffer += ",\"dur\":";
        microseconds(time);
    }

    void metadata(std::string_view kind, std::uint64_t tid, std::string_view value) {
        head('M', tid, {}, kind);
        append(",\"args\":{{\"name\":{}}}}}", quoted(value));
    }

    HeapState& heap(const Event& event) {
        const auto [at, is_new] = heaps.try_emplace(event.heap);
        if (is_new) {
            const auto name = [&](Track track, std::string_view what) {
                metadata("thread_name", tid_of(event.heap, track), fmt::format("heap {}: {}", event.heap, what));
            };
            name(Track::cycles, "collections");
            name(Track::mutator, "the program's thread");
            name(Track::collector, "the collector's thread");
        }
        at->second.last = std::max(at->second.last, event.time);
        return at->second;
    }

    void end(std::uint64_t tid, std::chrono::nanoseconds time, std::string_view name) {
        head('E', tid, time, name);
        buffer += '}';
    }
    /// Ends the phase that the event's collection is in. Null where its beginning was not heard.
    Open* leave_phase(const Event& event) {
        HeapState& state = heap(event);
        const auto is = [&](const Open& open) { return open.cycle == event.cycle; };
        const auto at = std::find_if(state.open.begin(), state.open.end(), is);
        if (event.cycle == 0 || at == state.open.end()) return nullptr;
        end_phase(tid(state, event.heap, *at), event.time, *at);
        return &*at;
    }
    /// The first track that is free.
    Open& free_track(HeapState& state, std::uint64_t heap) {
        const auto at = std::find_if(state.open.begin(), state.open.end(), [](const Open& o) { return o.cycle == 0; });
        const bool is_new = at == state.open.end();
        Open& free = is_new ? state.open.emplace_back() : *at;
        if (is_new && state.open.size() > 1) {
            metadata("thread_name", tid(state, heap, free),
                     fmt::format("heap {}: collections meanwhile ({})", heap, state.open.size()));
        }
        return free;
    }
    static std::uint64_t tid(const HeapState& state, std::uint64_t heap, const Open& open) {
        const auto number = static_cast<std::uint64_t>(&open - state.open.data());
        if (number == 0) return tid_of(heap, Track::cycles);
        return tid_of(heap, Track::more_cycles) + std::min(number, kTracks - 4) - 1;
    }
    std::uint64_t tid(const Event& event, const Open& open) { return tid(heap(event), event.heap, open); }
    void end_phase(std::uint64_t tid, std::chrono::nanoseconds time, const Open& open) {
        if (open.phase != nullptr) end(tid, time, open.phase);
    }

    void counter(const Event& event, Bytes used, Bytes committed) {
        head('C', tid_of(event.heap, Track::cycles), event.time, fmt::format("heap {} bytes", event.heap));
        append(",\"args\":{{\"used\":{},\"committed\":{}}}}}", used, committed);
    }

    /// One event, whole or not at all: where memory for it is refused the trace has failed, but is one. So an event changes what is
    /// open when all of it is written.
    template <class F>
    void tell(F&& event) noexcept {
        const std::lock_guard guard(lock);
        if (closed) return;
        if (buffer.size() > kBuffer - kHeadroom) write();
        const std::size_t before = buffer.size();
        const bool was_first = first;
        try {
            std::forward<F>(event)(*this);
        } catch (const std::bad_alloc&) {
            buffer.resize(before);
            first = was_first;
            failed = true;
        }
    }

    void write() noexcept {
        try {
            out->write(buffer.data(), static_cast<std::streamsize>(buffer.size()));
        } catch (...) {  // a stream may be told to throw; it has noted the failure as well
        }
        if (!*out) failed = true;
        buffer.clear();
    }
    void flush() noexcept {
        write();
        try {
            out->flush();
        } catch (...) {
        }
        if (!*out) failed = true;
    }

    void close() noexcept {
        if (closed) return;
        try {
            end_all();
        } catch (const std::bad_alloc&) {
            failed = true;
        }
        closed = true;
        buffer += "\n]}\n";  // there is room for this
        flush();
        if (file.is_open()) file.close();
        if (!*out) failed = true;
    }
    void end_all() {
        for (auto& [number, state] : heaps) {
            for (Open& open : state.open) {
                if (open.cycle == 0) continue;
                const std::uint64_t track = tid(state, number, open);
                end_phase(track, state.last, open);
                end(track, state.last, "collection");
            }
        }
    }

    std::mutex lock;  // heaps, and whoever flushes, may be on different threads
    std::ofstream file;
    std::ostream* out;
    std::string buffer;
    std::map<std::uint64_t, HeapState> heaps;
    const int pid = ::getpid();
    bool first = true;
    bool closed = false;
    bool failed = false;
};

TraceEventWriter::TraceEventWriter(std::ostream& out) : state_(std::make_unique<State>(out)) {}
TraceEventWriter::TraceEventWriter(const std::string& path) : state_(std::make_unique<State>(path)) {}
TraceEventWriter::~TraceEventWriter() { close(); }

void TraceEventWriter::flush() noexcept {
    const std::lock_guard guard(state_->lock);
    if (!state_->closed) state_->flush();
}

void TraceEventWriter::close() noexcept {
    const std::lock_guard guard(state_->lock);
    state_->close();
}

bool TraceEventWriter::ok() const noexcept {
    const std::lock_guard guard(state_->lock);
    return !state_->failed;
}

void TraceEventWriter::on_collection_begun(const CollectionBegunEvent& event) noexcept {
    state_->tell([&](State& s) {
        State::Open& track = s.free_track(s.heap(event), event.heap);
        s.head('B', s.tid(event, track), event.time, "collection");
        s.append(",\"args\":{{\"cycle\":{},\"reason\":\"{}\",\"label\":{},\"regions\":{},\"bytes\":{}}}}}", event.cycle,
                 to_string(event.reason), quoted(event.label), event.regions, event.bytes);
        s.counter(event, event.used_bytes, event.committed_bytes);
        track.cycle = event.cycle;
        track.phase = nullptr;
    });
}

void TraceEventWriter::on_phase_entered(const PhaseEnteredEvent& event) noexcept {
    state_->tell([&](State& s) {
        State::Open* const open = s.leave_phase(event);
        if (open == nullptr) return;
        s.head('B', s.tid(event, *open), event.time, event.name);
        s.append(",\"args\":{{\"cycle\":{}}}}}", event.cycle);
        open->phase = event.name;
    });
}

void TraceEventWriter::on_slice_done(const SliceDoneEvent& event) noexcept {
    state_->tell([&](State& s) {
        s.heap(event);
        s.head('X', tid_of(event.heap, event.collector_thread ? Track::collector : Track::mutator), event.time,
               to_string(event.kind));
        s.duration(event.duration);
        s.append(",\"args\":{{\"cycle\":{},\"bytes\":{},\"objects\":{},\"overrun_ns\":{}}}}}", event.cycle, event.bytes,
                 event.objects, event.overrun.count());
    });
}

void TraceEventWriter::on_paused(const PausedEvent& event) noexcept {
    state_->tell([&](State& s) {
        s.heap(event);
        const PauseEvent& pause = event.pause;
        s.head('X', tid_of(event.heap, Track::mutator), event.time, fmt::format("pause: {}", to_string(pause.cause)));
        s.duration(pause.duration);
        s.append(",\"args\":{{\"number\":{},\"cycle\":{},\"label\":{},\"looked_at_bytes\":{},\"survived_bytes\":{},",
                 pause.number, event.cycle, quoted(pause.label), pause.looked_at_bytes, pause.survived_bytes);
        s.append("\"time_to_stop_ns\":{}}}}}", pause.time_to_stop.count());
    });
}

void TraceEventWriter::on_collection_ended(const CollectionEndedEvent& event) noexcept {
    state_->tell([&](State& s) {
        State::Open* const open = s.leave_phase(event);
        if (open == nullptr) return;
        const CollectionResult& result = event.result;
        s.head('E', s.tid(event, *open), event.time, "collection");
        s.append(",\"args\":{{\"before_bytes\":{},\"freed_bytes\":{},\"promoted_bytes\":{},\"evacuated_bytes\":{},",
                 result.before_bytes, result.freed_bytes, result.promoted_bytes, result.evacuated_bytes);
        s.append("\"adopted_bytes\":{},\"live_bytes\":{},\"destructors\":{}}}}}", result.adopted_bytes,
                 result.live_bytes, result.destructors);
        s.counter(event, event.used_bytes, event.committed_bytes);
        open->cycle = 0;
    });
}

void TraceEventWriter::on_memory(const MemoryEvent& event) noexcept {
    state_->tell([&](State& s) {
        s.heap(event);
        const bool returned = event.change == MemoryEvent::Change::returned;
        s.head('X', tid_of(event.heap, Track::mutator), event.time, returned ? "memory returned" : "memory prefaulted");
        s.duration(event.duration);
        s.append(",\"args\":{{\"bytes\":{},\"committed\":{}}}}}", event.bytes, event.committed_bytes);
    });
}

}  // namespace perfloc
