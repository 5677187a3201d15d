#include "gc/verify/verifier.hpp"

#include "gc/mark/marked_objects.hpp"
#include "gc/roots.hpp"
#include "gc/sweep/live_map.hpp"
#include "gc/sweep/sweep.hpp"
#include "runtime/bump.hpp"
#include "runtime/condemned.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace perfloc::gc {

using detail::kPageBytes;
using detail::kWordBytes;

namespace {

constexpr std::size_t kMostViolations = 20;

std::uint64_t record_key(const void* slot, std::uint32_t region) {
    return reinterpret_cast<std::uint64_t>(slot) ^ std::uint64_t{region} << 48 ^ std::uint64_t{region} << 1;
}

}  // namespace

Verifier::Verifier(HeapCore& heap) : heap_(heap), objects_(heap) {}

VerifyReport Verifier::run() {
    for (Region* const region : objects_.regions()) find_objects(*region);
    for (Region* const region : objects_.regions()) check_region(*region);
    check_shades();
    return std::move(report_);
}

/// The running collection has found it dead.
bool Verifier::is_dying(const void* object) const {
    return heap_.collection.mode == detail::BarrierMode::settling && heap_.collector->dying(object);
}

/// In a span that the running collection has marked in and settled; not in one that the end of a scope has adopted meanwhile.
bool Verifier::has_left_set(const void* address) const {
    const detail::Span& span = heap_.pages.span_at(address);
    return span.settled == heap_.collection.cycle && detail::load_relaxed(span.cycle) == heap_.collection.cycle;
}

void Verifier::violation(std::string line) {
    if (report_.violations.size() < kMostViolations) report_.violations.push_back(std::move(line));
}

/// Where objects start in the region, and what is recorded for it.
void Verifier::find_objects(Region& region) {
    const MarkBitmap marks(heap_.memory, detail::Area::live);
    for_each_span(heap_, region, [&](std::uint32_t page, const Span& span) {
        const std::uint32_t named = heap_.regions.resolve(heap_.pages.region_at(heap_.pages.address_of(page)));
        if (named != region.index) {
            violation(fmt::format("law [park]: span {} of region {} (\"{}\") is stamped with region {}", page,
                                  region.index, detail::LabelTable::name(region.label), named));
        }
        if (span.top_bytes > std::size_t{span.pages} * kPageBytes) {
            violation(fmt::format("span {} of region {} has a top beyond its end", page, region.index));
            return;
        }
        for_each_live(marks, heap_.pages, page, span, [&](void* object, Header header, std::size_t bytes) {
            if (moved(span, header)) return;
            const std::uint32_t type = detail::header_type(header);
            if (type != detail::kFillerType) ++report_.objects;
            if ((header & 7) != 0 || type < detail::kFillerType || type >= detail::type_count() || bytes == 0) {
                violation(
                    fmt::format("law [stale]: an object at {} in \"{}\" has the header {:#x}, which no object has",
                                object, detail::LabelTable::name(region.label), header));
                return;
            }
            objects_.add(object);
        });
    });
    const bool looked_at = detail::looks_at(heap_, region.index);
    const auto note = [&](const detail::IncomingSlot& incoming) {
        if (heap_.pages.span_at(incoming.slot).generation == incoming.generation) {
            recorded_.insert(record_key(incoming.slot, region.index));
            if (looked_at) told_.insert(record_key(incoming.slot, detail::kNoRegion));
        }
    };
    region.incoming.for_each(note);
    region.frozen.for_each(note);
    region.since.for_each(note);
}

/// What a scope's report says was in it is what its spans hold. Of regions that no collection is in the middle of.
void Verifier::check_bytes(const Region& region) {
    if (heap_.regions.state(region) != detail::RegionState::open || heap_.collection.active()) return;
    std::uint64_t counted = 0;
    for_each_span(heap_, region, [&](std::uint32_t page, const Span& span) {
        if (page != region.current_span && page != region.pinned_span) counted += counted_bytes(heap_, page, span);
    });
    if (counted == region.filled_bytes) return;
    violation(fmt::format("region \"{}\" counts {} bytes in spans that hold {}", detail::LabelTable::name(region.label),
                          region.filled_bytes, counted));
}

/// A running collection of open scopes looks at the region, or may come to: it began since then, inside one of these, and may be
/// kept.
bool Verifier::may_join_set(const Region& region) const {
    if (heap_.regions.record(region).looked_at != 0) return true;
    if (heap_.regions.state(region) != detail::RegionState::open) return false;
    const std::uint64_t key = heap_.regions.record(region).key;
    return std::any_of(objects_.regions().begin(), objects_.regions().end(), [&](const Region* other) {
        const detail::RegionRecord& record = heap_.regions.record(*other);
        return record.looked_at != 0 && detail::key_encloses(record.key, key);
    });
}

/// A collection of open scopes knows its spans by what is said in them (detail::in_set()). Where a region has others besides, they are
/// newer, or it is done with them: what a scope has adopted meanwhile would pass for old, and, being unmarked, for dead.
void Verifier::check_set(const Region& region) {
    const detail::CollectionState& collection = heap_.collection;
    if (!collection.pressure || collection.mode == detail::BarrierMode::idle || !may_join_set(region)) return;
    if (heap_.regions.record(region).looked_at == 0 && detail::looks_at(heap_, region.index)) {
        return check_to_be_frozen(region);
    }
    heap_.pages.for_each(static_cast<const detail::SpanLists&>(region), [&](std::uint32_t page, const Span& span) {
        if (span.generation > collection.start_generation || span.settled == collection.cycle) return;
        violation(
            fmt::format("protocol P6: span {} of region \"{}\" passes for one that the running collection looks at, "
                        "and is not",
                        page, detail::LabelTable::name(region.label)));
    });
}

/// Until the collection has come to it, nothing is allocated in it, and nothing comes into it.
void Verifier::check_to_be_frozen(const Region& region) {
    if (&region == heap_.current_region()) {
        violation(fmt::format("protocol P2: scope \"{}\" is current, and the running collection has yet to come to it",
                              detail::LabelTable::name(region.label)));
    }
    heap_.pages.for_each(static_cast<const detail::SpanLists&>(region), [&](std::uint32_t page, const Span& span) {
        if (span.generation <= heap_.collection.start_generation && span.settled != heap_.collection.cycle) return;
        violation(fmt::format("protocol P2: span {} came into scope \"{}\" before the running collection did", page,
                              detail::LabelTable::name(region.label)));
    });
}

/// law [stale]: if the scope ended now, what each recorded slot names there would be promoted. Whatever counts as live names
/// no memory that has gone back: this scope may be given it next.
void Verifier::check_recorded(const Region& region) {
    using detail::RegionState;
    if (heap_.regions.state(region) != RegionState::open || detail::looks_at(heap_, region.index)) return;
    region.incoming.for_each([&](const detail::IncomingSlot& incoming) {
        const Region* const owner = live_owner(heap_, incoming);
        const void* const target = owner != nullptr ? incoming.slot->load(std::memory_order_relaxed) : nullptr;
        if (target == nullptr) return;
        // Protocol P20: a parked scope's slots may name what has gone; forget_gone() looks at these.
        if (heap_.regions.state(*owner) == RegionState::parked) return;
        const RegionState state = heap_.regions.state(heap_.region_at(target));
        if (state == RegionState::open || state == RegionState::condemned || state == RegionState::parked) {
            if (&heap_.region_at(target) != &region || objects_.is_object(target)) return;
        }
        violation(
            fmt::format("law [stale]: the slot at {} in \"{}\", recorded for scope \"{}\", counts as live and names "
                        "{}, where no live object begins",
                        static_cast<const void*>(incoming.slot), detail::LabelTable::name(owner->label),
                        detail::LabelTable::name(region.label), target));
    });
}

/// What the next collection is to keep exists, and is given up with what waits for it.
void Verifier::check_shades() {
    const detail::CollectionState& collection = heap_.collection;
    if (collection.waiting == 0 && !collection.active() && !collection.waiting_shades.empty()) {
        violation("protocol P1: objects are shaded for a collection that will not come");
    }
    collection.waiting_shades.for_each([&](void* object) {
        if (objects_.is_object(object) && detail::is_waiting(heap_, object)) return;
        violation(fmt::format("protocol P1: {} is shaded for the next collection and is no live object of it", object));
    });
    collection.begun_shades.for_each([&](void* object) {
        const bool kept = detail::in_set(heap_, object) || detail::is_waiting(heap_, object);
        if (objects_.is_object(object) && kept) return;
        violation(fmt::format("protocol P1: {} was shaded before the collection began and is no live object", object));
    });
    collection.settling_shades.for_each([&](void* object) {
        if (objects_.is_object(object)) return;
        violation(fmt::format("protocol P1: {} is shaded while it settles and is no live object", object));
    });
}

void Verifier::check_region(Region& region) {
    const MarkBitmap marks(heap_.memory, detail::Area::live);
    check_bytes(region);
    check_set(region);
    check_recorded(region);
    if (region.incoming.size() != 0 && (region.attention & detail::kIncoming) == 0) {
        violation(fmt::format("law [remset]: region \"{}\" has incoming slots that its end would not look at",
                              detail::LabelTable::name(region.label)));
    }
    for_each_span(heap_, region, [&](std::uint32_t page, const Span& span) {
        for_each_live(marks, heap_.pages, page, span, [&](void* object, Header header, std::size_t) {
            if (!moved(span, header)) check_object(region, object, header);
        });
    });
    check_handles(region, region.handles, "a Handle");
    check_handles(region, region.walked, "a Handle");
    check_handles(region, region.weak, "a WeakHandle");
    check_cleanups(region);
    const std::lock_guard guard(heap_.global_handles);
    check_handles(region, region.global, "a GlobalHandle");
    check_handles(region, region.global_weak, "a GlobalWeakHandle");
}

void Verifier::check_object(Region& region, void* object, std::uint64_t header) {
    // What the running collection has found dead refers to whatever it likes.
    if (is_dying(object)) return;
    const Where parent{object, header};
    detail::for_each_ref(object, header, detail::type_shapes(), [&](std::atomic<void*>& slot) {
        ++report_.references;
        const auto offset =
            static_cast<std::size_t>(reinterpret_cast<const char*>(&slot) - static_cast<const char*>(object));
        check_reference(region, parent, offset, slot);
    });
    look_for_undeclared(parent);
}

void Verifier::check_reference(Region& region, const Where& parent, std::size_t offset, std::atomic<void*>& slot) {
    void* const target = slot.load(std::memory_order_relaxed);
    if (target == nullptr) return;
    if (!heap_.pages.contains(target)) {
        return violation(fmt::format("law [stale]: {} is not in the heap", describe(parent, offset, target)));
    }
    const std::uint32_t index = heap_.regions.resolve(heap_.pages.region_at(target));
    const bool open = std::any_of(objects_.regions().begin(), objects_.regions().end(),
                                  [&](const Region* r) { return r->index == index; });
    if (!open) {
        return violation(fmt::format("law [stale]: {} is in no open scope (region {}, state {})",
                                     describe(parent, offset, target), index,
                                     static_cast<int>(heap_.regions.state(index))));
    }
    if (!objects_.is_object(target)) {
        return violation(
            fmt::format("law [stale]: {} is not the start of a live object", describe(parent, offset, target)));
    }
    if (is_dying(target)) {
        return violation(
            fmt::format("law [remset]: {} is reachable, and about to be freed", describe(parent, offset, target)));
    }
    if (index == region.index || index == detail::kRootRegion) return;
    // Protocol P3: what ended inside another ended scope is collected first, or with it.
    const auto condemned = detail::RegionState::condemned;
    if (heap_.regions.state(index) == condemned && heap_.regions.state(region) == condemned) return;
    const bool ended = heap_.regions.state(region) == condemned;  // what it refers to outward was never recorded
    const std::uint64_t own = ended ? region.ended_key : heap_.regions.record(region).key;
    if (detail::key_encloses(heap_.regions.record(index).key, own)) return;
    // Protocol P16: the running collection walks the lists of all its regions yet; one of them is enough for what is in its set
    // or has just left it.
    const bool of_set = detail::looks_at(heap_, index) || has_left_set(target);
    // Within what was one set, some of it settled, some not yet: where they will be apart, it is on the collection's list.
    const bool from_set = detail::looks_at(heap_, region.index) || has_left_set(&slot);
    const bool both = of_set && from_set;
    if (both && heap_.collection.mode == detail::BarrierMode::settling) return;
    const bool told = heap_.collection.mode != detail::BarrierMode::idle && of_set &&
                      told_.contains(record_key(&slot, detail::kNoRegion));
    if (!told && !recorded_.contains(record_key(&slot, index))) {
        violation(fmt::format("law [remset]: {} goes from scope \"{}\" into scope \"{}\" and is not recorded",
                              describe(parent, offset, target), detail::LabelTable::name(region.label),
                              detail::LabelTable::name(heap_.regions.at(index).label)));
    }
}

void Verifier::check_handles(Region& region, const detail::HandleNode& sentinel, const char* kind) {
    for (const detail::HandleNode* node = sentinel.next; node != &sentinel; node = node->next) {
        if (node->next->previous != node) {
            return violation(fmt::format("law [remset]: the list of handles of scope \"{}\" is broken",
                                         detail::LabelTable::name(region.label)));
        }
        // A weak one that the running collection will clear reads null already.
        const bool dies = heap_.pages.contains(node->object) && is_dying(node->object);
        if (dies && (&sentinel == &region.weak || &sentinel == &region.global_weak || &sentinel == &region.walked))
            continue;
        if (!heap_.pages.contains(node->object) || !objects_.is_object(node->object)) {
            violation(fmt::format("law [stale]: {} refers to {}, which is not the start of a live object", kind,
                                  node->object));
        } else if (&heap_.region_at(node->object) != &region &&
                   heap_.regions.state(region) != detail::RegionState::condemned) {  // protocol P16: they follow later
            violation(fmt::format("law [remset]: {} to an object of scope \"{}\" is in the list of scope \"{}\"", kind,
                                  detail::LabelTable::name(heap_.region_at(node->object).label),
                                  detail::LabelTable::name(region.label)));
        }
    }
}

void Verifier::check_cleanups(Region& region) {
    region.cleanups.for_each([&](void* object) {
        if (!objects_.is_object(object) || &heap_.region_at(object) != &region ||
            !detail::type_shapes()[detail::header_type(detail::header_of(object))].destructor) {
            violation(
                fmt::format("the destructor of {} is due at the end of scope \"{}\", where there is no such object",
                            object, detail::LabelTable::name(region.label)));
        }
    });
}

/// A word that is declared neither as a Ref nor as anything else, and holds the address of a live object, is likely to be
/// a reference that the collector does not see.
void Verifier::look_for_undeclared(const Where& parent) {
    const detail::TypeInfo& info = detail::type_info(detail::header_type(parent.header));
    if (info.array) return;
    const auto* const words = static_cast<void* const*>(parent.object);
    for (std::size_t i = 0; i < info.payload_bytes / kWordBytes; ++i) {
        const std::size_t offset = i * kWordBytes;
        if (!heap_.pages.contains(words[i]) || !objects_.is_object(words[i])) continue;
        if (std::binary_search(info.ref_offsets.begin(), info.ref_offsets.end(), offset)) continue;
        ++report_.suspicious_words;
        ++heap_.totals.suspicious_words;
        if (report_.suspicious_words == 1) {
            detail::report(fmt::format("{} holds what looks like an undeclared reference to {} at offset {}", info.name,
                                       detail::type_of(words[i]).name, offset));
        }
    }
}

std::string Verifier::describe(const Where& parent, std::size_t offset, const void* child) const {
    const detail::TypeInfo& info = detail::type_info(detail::header_type(parent.header));
    const std::size_t within = info.array ? offset % std::max<std::size_t>(1, info.payload_bytes) : offset;
    const auto at = std::find(info.ref_offsets.begin(), info.ref_offsets.end(), within);
    const auto nth = static_cast<std::size_t>(at - info.ref_offsets.begin());
    std::string field;
    if (info.array) field = fmt::format("element {}, ", offset / std::max<std::size_t>(1, info.payload_bytes));
    if (nth < info.ref_names.size() && !info.ref_names[nth].empty())
        field += fmt::format("field {}, ", info.ref_names[nth]);
    field += fmt::format("offset {}", within);
    std::string child_type = "(no object)";
    if (heap_.pages.contains(child) && objects_.is_object(child)) child_type = detail::type_of(child).name;
    return fmt::format("{} at {} ({}) -> {} at {}", info.name, parent.object, field, child_type, child);
}

}  // namespace perfloc::gc
