// The version of perfloc, as numbers that the preprocessor can compare. The build reads it from here.
#pragma once

#define PERFLOC_VERSION_MAJOR 0
#define PERFLOC_VERSION_MINOR 1
#define PERFLOC_VERSION_PATCH 0

// One number that grows with the version: 0.1.0 is 100.
#define PERFLOC_VERSION (PERFLOC_VERSION_MAJOR * 10000 + PERFLOC_VERSION_MINOR * 100 + PERFLOC_VERSION_PATCH)
