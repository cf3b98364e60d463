# LibTorch for the CPU, of a distribution's package, of the archive on pytorch.org or of a Python wheel
# (MUSTER_TORCH_ROOT=…/site-packages/torch): the target LibTorch::LibTorch, and LibTorch_VERSION.
#
# Not TorchConfig.cmake: that of a wheel demands nvcc and every library of CUDA, and Debian's links some
# 280 libraries. What Muster and its users call is in two.
set(MUSTER_TORCH_ROOT "" CACHE PATH "Folder with LibTorch's include and lib; empty: where the system has it")

if(MUSTER_TORCH_ROOT)
    set(LibTorch_only NO_DEFAULT_PATH) # headers of one version and the library of another compile, and crash
endif()
find_path(LibTorch_INCLUDE_DIR NAMES torch/csrc/api/include/torch/torch.h
    HINTS ${MUSTER_TORCH_ROOT} PATH_SUFFIXES include ${LibTorch_only})
find_library(LibTorch_LIBRARY NAMES torch_cpu HINTS ${MUSTER_TORCH_ROOT} PATH_SUFFIXES lib ${LibTorch_only})
find_library(LibTorch_C10_LIBRARY NAMES c10 HINTS ${MUSTER_TORCH_ROOT} PATH_SUFFIXES lib ${LibTorch_only})
unset(LibTorch_only)

foreach(file IN ITEMS torch/csrc/api/include/torch/version.h torch/headeronly/version.h)
    if(LibTorch_INCLUDE_DIR AND EXISTS ${LibTorch_INCLUDE_DIR}/${file})
        file(STRINGS ${LibTorch_INCLUDE_DIR}/${file} LibTorch_lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
        if(LibTorch_lines MATCHES "MAJOR ([0-9]+).*MINOR ([0-9]+).*PATCH ([0-9]+)")
            set(LibTorch_VERSION "${CMAKE_MATCH_1}.${CMAKE_MATCH_2}.${CMAKE_MATCH_3}")
        endif()
    endif()
endforeach()

# Wheels before 2.6 have strings of libstdc++'s old kind, which would show when the first program is linked.
if(LibTorch_INCLUDE_DIR AND LibTorch_C10_LIBRARY)
    include(CheckCXXSourceCompiles)
    set(CMAKE_REQUIRED_INCLUDES ${LibTorch_INCLUDE_DIR})
    set(CMAKE_REQUIRED_LIBRARIES ${LibTorch_C10_LIBRARY})
    set(CMAKE_REQUIRED_FLAGS -std=c++20)
    string(MAKE_C_IDENTIFIER "LibTorch_LINKS_${LibTorch_C10_LIBRARY}" LibTorch_links)
    check_cxx_source_compiles("#include <c10/util/Exception.h>
        int main(int argc, char**) { TORCH_CHECK(argc > 0, std::string(\"x\")); }" ${LibTorch_links})
    set(LibTorch_LINKS ${${LibTorch_links}})
    unset(CMAKE_REQUIRED_INCLUDES)
    unset(CMAKE_REQUIRED_LIBRARIES)
    unset(CMAKE_REQUIRED_FLAGS)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
    REQUIRED_VARS LibTorch_LIBRARY LibTorch_C10_LIBRARY LibTorch_INCLUDE_DIR LibTorch_LINKS
    VERSION_VAR LibTorch_VERSION)
mark_as_advanced(LibTorch_INCLUDE_DIR LibTorch_LIBRARY LibTorch_C10_LIBRARY)

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
    add_library(LibTorch::LibTorch INTERFACE IMPORTED)
    # A wheel's folder has headers of fmt and others too, which come before the system's.
    target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE
        ${LibTorch_INCLUDE_DIR} ${LibTorch_INCLUDE_DIR}/torch/csrc/api/include)
    target_link_libraries(LibTorch::LibTorch INTERFACE ${LibTorch_LIBRARY} ${LibTorch_C10_LIBRARY})
endif()
