# The parallel build of HDF5, beside the serial one that FindHDF5 finds: HDF5MPI_INCLUDE_DIR and
# HDF5MPI_LIBRARY. No target, because installed libraries name what they link by path.
find_path(HDF5MPI_INCLUDE_DIR NAMES hdf5.h HINTS ENV HDF5MPI_ROOT
    PATH_SUFFIXES include include/hdf5/openmpi include/hdf5/mpich hdf5/openmpi hdf5/mpich)
find_library(HDF5MPI_LIBRARY NAMES hdf5_openmpi hdf5_mpich hdf5 HINTS ENV HDF5MPI_ROOT
    PATH_SUFFIXES lib hdf5/openmpi hdf5/mpich)

# Where a path is given, or a module has put its own first, it may be a serial one.
if(HDF5MPI_INCLUDE_DIR)
    file(GLOB HDF5MPI_settings "${HDF5MPI_INCLUDE_DIR}/H5pubconf*.h")
    foreach(file IN LISTS HDF5MPI_settings)
        file(STRINGS "${file}" HDF5MPI_parallel REGEX "define H5_HAVE_PARALLEL 1")
        file(STRINGS "${file}" HDF5MPI_version REGEX "define H5_PACKAGE_VERSION ")
        if(HDF5MPI_parallel)
            set(HDF5MPI_IS_PARALLEL TRUE)
        endif()
        if(HDF5MPI_version MATCHES "\"([0-9.]+)")
            set(HDF5MPI_VERSION "${CMAKE_MATCH_1}")
        endif()
    endforeach()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(HDF5MPI
    REQUIRED_VARS HDF5MPI_LIBRARY HDF5MPI_INCLUDE_DIR HDF5MPI_IS_PARALLEL VERSION_VAR HDF5MPI_VERSION)
mark_as_advanced(HDF5MPI_INCLUDE_DIR HDF5MPI_LIBRARY)
