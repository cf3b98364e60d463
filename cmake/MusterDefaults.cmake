# What a build of this project on its own starts from. Included by the root only when it is the
# top level: a project that adds Muster as a folder keeps its own choices.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()

# ccache, when it is there and nobody chose a launcher: switching between presets and branches
# then costs a fraction of a compile. -DCMAKE_CXX_COMPILER_LAUNCHER= (empty) switches it off.
if(NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER AND NOT DEFINED ENV{CMAKE_CXX_COMPILER_LAUNCHER})
    find_program(MUSTER_CCACHE ccache)
    mark_as_advanced(MUSTER_CCACHE)
    if(MUSTER_CCACHE)
        set(CMAKE_CXX_COMPILER_LAUNCHER ${MUSTER_CCACHE} CACHE STRING "Run in front of the compiler")
    endif()
endif()
