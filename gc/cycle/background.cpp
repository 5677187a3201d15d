#include "gc/cycle/background.hpp"

#include "gc/mark/marked_objects.hpp"
#include "gc/mark/marker.hpp"
#include "gc/policy/evacuation_policy.hpp"
#include "gc/settle/holes.hpp"
#include "gc/sweep/live_map.hpp"
#include "gc/sweep/sweep.hpp"
#include "runtime/check.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <numeric>
#include <unordered_map>

namespace perfloc::gc {

using detail::kPageBytes;
using detail::SpanKind;
using detail::SpanList;

namespace {

constexpr std::size_t kRootsABreath = 64;
constexpr std::uint32_t kMostGrains = detail::kBlockBytes / kGrainBytes;
constexpr std::size_t kAhead =
    512;  // bytes, of objects that are walked: further than the hardware does where they are sparse

}  // namespace

void Background::collect(const std::function<void()>& wait_for_mutator) {
    prepare();
    sort_roots();
    Set set{cycle_.heap, cycle_.pages, all_go_together()};
    Marker marker(cycle_.heap, cycle_.marks, set, detail::Area::cycle_scratch);
    for (const RootGroup& group : roots_) {
        set.destination = group.destination;
        each_root(group, [&](const CycleRoot& root, std::size_t i) {
            marker.visit_root(root.target);
            if (i % 64 == 63) drain(marker);
        });
        drain(marker);
    }
    set.destination = 0;  // what is found only by shades goes where its region's other survivors go
    for (;;) {
        cycle_.phase.enter(CyclePhase::agree);
        wait_for_mutator();
        if (cycle_.phase.now() == CyclePhase::sweep) break;
        while (!cycle_.handed.empty()) {
            visit_shade(marker, cycle_.handed.pop(cycle_.heap.chunks));
            if (cycle_.handed.size() % 64 == 0) drain(marker);
        }
        drain(marker);
    }
    if (set.simple) cycle_.set.front()->promoted_objects += marker.objects();
    sweep();
    list_slots();
    for (RootGroup& group : roots_) group.roots.clear(cycle_.heap.chunks);
    roots_.clear();
    cycle_.phase.enter(CyclePhase::clear);
}

void Background::prepare() {
    cycle_.candidate_blocks.clear();
    cycle_.pages.clear(breathe_);
    for (Region* const region : cycle_.set) {
        for_each_condemned(cycle_.heap, *region, [&](std::uint32_t page, Span& span) {
            // Of a large object only the header is marked, which is on the first page.
            const std::size_t pages = span.kind == SpanKind::large ? 1 : span.pages;
            cycle_.marks.clear(cycle_.heap.pages.address_of(page), pages * kPageBytes);
            cycle_.pages.add(page, span.pages);
            span.destination = cycle_.pressure() ? region->index : 0;
            span.candidate = 0;
            __atomic_store_n(&span.cycle, cycle_.number, __ATOMIC_RELEASE);
            breathe_();
        });
    }
}

/// Protocol P7: the outermost destination first. Step by step, however many roots there are.
void Background::sort_roots() {
    using Known = std::unordered_map<std::uint32_t, std::size_t, std::hash<std::uint32_t>, std::equal_to<>,
                                     detail::ListAllocator<std::pair<const std::uint32_t, std::size_t>>>;
    roots_.clear();
    Known known(cycle_.heap.chunks);  // by destination
    std::size_t last = 0;             // neighbours often go together
    const auto group_of = [&](const CycleRoot& root) {
        const CycleRoot key = where_to(root);
        if (!roots_.empty() && roots_[last].destination == key.destination) return last;
        const auto [at, is_new] = known.try_emplace(key.destination, roots_.size());
        if (is_new) roots_.push_back({key.destination, key.depth, {}});
        return last = at->second;
    };
    RootGroup all{0, 0, {}};
    all.roots.splice(cycle_.roots);
    each_root(all, [&](const CycleRoot& root, std::size_t) { group_of(root); });
    if (roots_.size() == 1) {
        roots_.front().roots.splice(all.roots);
        return;
    }
    for (std::size_t i = 1; !all.roots.empty(); ++i) {  // in place: what is taken out makes room
        const CycleRoot root = all.roots.pop(cycle_.heap.chunks);
        roots_[group_of(root)].roots.push(cycle_.heap.chunks, root);
        if (i % kRootsABreath == 0) breathe_();
    }
    std::ranges::sort(roots_, [](const RootGroup& a, const RootGroup& b) {
        return a.depth != b.depth ? a.depth < b.depth : a.destination < b.destination;
    });
}

/// Where two lineages refer to a region, its survivors go to the root; where they stay, it does not matter.
CycleRoot Background::where_to(CycleRoot root) const {
    const bool to_root = cycle_.pressure() || cycle_.heap.regions.at(root.region).fallback == detail::kRootRegion;
    if (to_root) {
        root.destination = detail::kRootRegion;
        root.depth = 0;
    }
    return root;
}

/// Calls f(root, number).
template <class F>
void Background::each_root(const RootGroup& group, F&& f) {
    detail::ChunkList<CycleRoot>::Cursor cursor;
    for (std::size_t i = 0; const CycleRoot* const root = cursor.next(group.roots); ++i) {
        f(*root, i);
        if (i % kRootsABreath == kRootsABreath - 1) breathe_();
    }
}

/// In a set of one region whose survivors all go where those go that no root names; and of open regions, where they stay.
bool Background::all_go_together() const {
    if (cycle_.pressure()) return true;
    const std::uint32_t fallback = cycle_.set.front()->fallback;
    return cycle_.set.size() == 1 && std::ranges::all_of(roots_, [&](const RootGroup& group) {
               return group.destination == fallback || group.destination == 0;
           });
}

/// What an earlier collection found dead refers to what is gone: nothing may bring it back.
template <class M>
void Background::visit_shade(M& marker, void* object) {
    HeapCore& heap = cycle_.heap;
    if (!is_marked_span(object)) return;
    PERFLOC_CHECK(!heap.stress.verify || live_word(heap, heap.pages.span_at(object), object),
                  "internal: a dead object of type {}, at {}, is shaded", detail::type_of(object).name, object);
    marker.visit_root(object);
}

template <class M>
void Background::drain(M& marker) {
    while (!marker.drain(breathe_)) {  // its stack was too small: what is marked is looked at again
        for (Region* const region : cycle_.set) {
            for_each_condemned(cycle_.heap, *region, [&](std::uint32_t page, const Span& span) {
                for_each_marked(cycle_.marks, cycle_.heap.pages, page, span,
                                [&](void* object, Header header, std::size_t) { marker.rescan(object, header); });
                breathe_();
            });
        }
    }
}

// --- sweep -----------------------------------------------------------------------------------------------------------

void Background::sweep() {
    uniform_ = true;
    count_live();
    choose_fullness();
    for (Region* const region : cycle_.set) {
        for (SpanList* const list : region->condemned.lists()) sweep_list(*region, *list);
    }
}

void Background::count_live() {
    for (Region* const region : cycle_.set) {
        for_each_condemned(cycle_.heap, *region, [&](std::uint32_t page, Span& span) {
            span.live_bytes = marked_bytes(cycle_.heap, cycle_.marks, page, span);
            breathe_();
        });
    }
}

void Background::choose_fullness() {
    SpansByFullness all_spans{}, stayed{};
    std::array<std::size_t, SpansByFullness{}.size()> all_pieces{}, stayed_pieces{};
    std::uint64_t all = 0;
    for (Region* const region : cycle_.set) {
        for_each_condemned(cycle_.heap, *region, [&](std::uint32_t page, const Span& span) {
            all += span.live_bytes;
            const MarkedSpan marked = marked_span(span);
            if (marked.movable && marked.live_bytes != 0) {
                const std::size_t fullness = fullness_of(marked.live_bytes, marked.span_bytes);
                const auto holes = std::popcount(hole_pages(cycle_.heap, cycle_.marks, page, span)) * kPageBytes;
                const std::uint64_t free_bytes = marked.span_bytes - marked.live_bytes - holes;
                for (const bool only_stayed : {false, true}) {
                    if (only_stayed && !span.stayed) continue;
                    Fullness& some = (only_stayed ? stayed : all_spans)[fullness];
                    some.live_bytes += marked.live_bytes;
                    some.free_bytes += free_bytes;
                    (only_stayed ? stayed_pieces : all_pieces)[fullness] += cycle_.pieces_of(span);
                }
            }
            breathe_();
        });
    }
    fresh_too_ = !cycle_.pressure() || cycle_.compact || cycle_.heap.stress.move || fresh_too(all_spans, all);
    const auto& pieces = fresh_too_ ? all_pieces : stayed_pieces;
    const SpansByFullness& spans = fresh_too_ ? all_spans : stayed;
    sparse_ = sparse_spans(spans, all, cycle_.pressure());
    // At once: a list that grows is copied.
    const std::size_t whole = cycle_.heap.stress.move ? pieces.size() : sparse_.twentieths;
    std::size_t most_pieces =
        std::accumulate(pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(whole), std::size_t{0});
    if (whole < pieces.size() && sparse_.more_bytes != 0)
        most_pieces += pieces[whole] * sparse_.more_bytes / spans[whole].live_bytes + 1;
    // Each has a list: where these would take much of the memory that is reserved for lists, there are fewer and larger ones.
    const std::size_t most = cycle_.heap.memory.area_bytes(detail::Area::chunks) / 4 / SlotChunks::kBytes;
    for (; most_pieces > most && cycle_.piece_grains < kMostGrains; most_pieces /= 2) cycle_.piece_grains *= 2;
    cycle_.candidates.reserve(most_pieces);
}

MarkedSpan Background::marked_span(const Span& span) const {
    return {span.live_bytes, std::uint64_t{span.pages} * kPageBytes,
            span.kind == SpanKind::movable && detail::load_relaxed(span.pins) == 0 &&
                detail::load_relaxed(span.held) != cycle_.number};
}

/// Every span of the region is in one of its lists whenever others may look. Those that stay go once round.
void Background::sweep_list(Region& region, SpanList& list) {
    detail::PageTable& pages = cycle_.heap.pages;
    MarkBitmap live(cycle_.heap.memory, detail::Area::live);
    for (std::uint32_t left = list.count; left != 0; --left) {
        const std::uint32_t page = pages.pop(list);
        Span& span = pages.span(page);
        // Adopting it will write its part of the live map, which may be a page that nothing has been written to yet.
        if (span.live_bytes != 0 && keeps_live_map(span) && !span.live_map) live.touch(pages.address_of(page));
        // The same for the descriptions of what it will be cut into.
        span.holes = span.live_bytes != 0 && hole_pages(cycle_.heap, cycle_.marks, page, span) != 0;
        if (span.holes) detail::store_relaxed(part_of(cycle_.heap, page, 1).cycle, 0u);
        if (span.live_bytes == 0) {
            pages.append(region.freed.of(span), page);
        } else if (is_sparse(region, span)) {
            span.candidate = static_cast<std::uint32_t>(cycle_.candidates.size()) + 1;
            cycle_.candidate_blocks.add(page);
            const std::uint64_t first = std::uint64_t{page} * kGrainsPerPage;
            for (std::uint32_t i = 0; i < cycle_.pieces_of(span); ++i) {
                cycle_.candidates.push_back({first + i * cycle_.piece_grains, 0, false, {}});
            }
            pages.append(region.sparse.of(span), page);
        } else {
            pages.append(list, page);
        }
        breathe_();
    }
}

bool Background::is_sparse(const Region& region, Span& span) {
    if (span.destination == 0) span.destination = region.fallback;
    // Then nothing that survives goes past a scope that it may refer to.
    uniform_ = uniform_ && span.destination == region.fallback && region.fallback == cycle_.set.front()->fallback &&
               region.root_lineage != kSeveralLineages;
    if (!fresh_too_ && !span.stayed) return false;
    const MarkedSpan marked = marked_span(span);
    return cycle_.heap.stress.move ? marked.movable : sparse_.take(marked);
}

// --- slots -----------------------------------------------------------------------------------------------------------

/// What an evacuation will have to fix, and what will point inward once it has gone outward. What the mutator stores
/// meanwhile, its barrier records (protocol P8).
void Background::list_slots() {
    const bool outward = !cycle_.pressure() && !uniform_;
    if (cycle_.candidates.empty() && !outward) return;
    SlotLister lister(cycle_);
    for (const RootGroup& group : roots_) {
        each_root(group, [&](const CycleRoot& root, std::size_t) {
            if (root.slot != nullptr) lister.add(root.target, {root.slot, root.generation});
        });
    }
    for (Region* const region : cycle_.set) {
        for_each_condemned(cycle_.heap, *region, [&](std::uint32_t page, const Span& span) {
            list_span(lister, page, span, outward);  // a sparse one may yet be adopted
            breathe_();
        });
    }
    while (!cycle_.told.empty()) {
        const IncomingSlot slot = cycle_.told.pop(cycle_.heap.chunks);
        void* const target = slot.slot->load(std::memory_order_relaxed);
        if (target != nullptr && is_marked_span(target)) lister.add(target, slot);
        if (cycle_.told.size() % 64 == 0) breathe_();
    }
}

bool Background::is_marked_span(const void* address) const {
    return cycle_.pages.contains(cycle_.heap.pages.page_of(address));
}

void Background::list_span(SlotLister& lister, std::uint32_t page, const Span& span, bool outward) {
    HeapCore& heap = cycle_.heap;
    const bool sparse = span.candidate != 0;
    unsigned slots = 0;
    for_each_marked(cycle_.marks, heap.pages, page, span, [&](void* object, Header header, std::size_t bytes) {
        __builtin_prefetch(static_cast<const char*>(object) + kAhead, 0, 3);
        if (++slots % 512 == 0) breathe_();
        if (sparse) candidate_of(cycle_, object)->live_bytes += static_cast<std::uint32_t>(bytes);
        detail::for_each_ref(object, header, detail::type_shapes(), [&](std::atomic<void*>& slot) {
            if (++slots % 512 == 0) breathe_();
            void* const target = slot.load(std::memory_order_relaxed);
            if (target == nullptr || !(outward || cycle_.candidate_blocks.contains(heap.pages.page_of(target)))) return;
            const Span& to = heap.pages.span_at(target);
            const bool in_set = is_marked_span(target);
            if (in_set) lister.add(target, {&slot, span.generation});
            if (outward && (in_set ? to.destination != span.destination : may_point_inward(target, span.destination))) {
                cycle_.outward.push(heap.chunks, {&slot, span.generation});
            }
        });
    });
}

/// The mutator may end scopes meanwhile: it looks again at each slot that is listed here, and what it stores from now on is
/// recorded at once.
bool Background::may_point_inward(const void* target, std::uint32_t destination) const {
    const detail::RegionTable& regions = cycle_.heap.regions;
    const std::uint32_t region = cycle_.heap.pages.region_at(target);
    if (region == destination || region == detail::kRootRegion) return false;
    return !detail::key_encloses(detail::load_relaxed(regions.record(region).key),
                                 detail::load_relaxed(regions.record(destination).key));
}

}  // namespace perfloc::gc
