// Compares a heap with its model.
#pragma once

#include "model.hpp"
#include "roots.hpp"

#include <string>

namespace perfloc::property {

/// Walks all that is held, and all that can be reached from it, and says the first thing that is not as in the model:
/// kind, value, contents, edges, and that each node is at one address. Empty: nothing.
std::string compare(const Model& model, const Roots& roots);

}  // namespace perfloc::property
