#pragma once

/// perfloc: a managed heap that listens to the program.
#include <perfloc/array.hpp>
#include <perfloc/errors.hpp>
#include <perfloc/events.hpp>
#include <perfloc/handle.hpp>
#include <perfloc/heap.hpp>
#include <perfloc/label.hpp>
#include <perfloc/make.hpp>
#include <perfloc/mutator.hpp>
#include <perfloc/options.hpp>
#include <perfloc/ref.hpp>
#include <perfloc/scope.hpp>
#include <perfloc/stats.hpp>
#include <perfloc/testing.hpp>
#include <perfloc/trace.hpp>
#include <perfloc/trace_events.hpp>
#include <perfloc/units.hpp>
#include <perfloc/version.hpp>
