# Slurm's PMI2 client: target PMI2::PMI2. It does not tell its version; where it is says more.
find_path(PMI2_INCLUDE_DIR NAMES slurm/pmi2.h HINTS ENV SLURM_ROOT PATH_SUFFIXES include)
find_library(PMI2_LIBRARY NAMES pmi2 HINTS ENV SLURM_ROOT PATH_SUFFIXES lib lib64 lib/slurm lib64/slurm)

set(PMI2_VERSION "${PMI2_LIBRARY}")

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(PMI2 REQUIRED_VARS PMI2_LIBRARY PMI2_INCLUDE_DIR)
mark_as_advanced(PMI2_INCLUDE_DIR PMI2_LIBRARY)

if(PMI2_FOUND AND NOT TARGET PMI2::PMI2)
    add_library(PMI2::PMI2 UNKNOWN IMPORTED)
    set_target_properties(PMI2::PMI2 PROPERTIES
        IMPORTED_LOCATION "${PMI2_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${PMI2_INCLUDE_DIR}")
endif()
