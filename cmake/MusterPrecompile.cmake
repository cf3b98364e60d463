# muster_precompile(<target>): has it read cmake/precompiled.hpp, compiled once for the libraries
# and once for the programs, which differ in their flags. Saves about a third of a build.
#
# Only with g++: it falls back to the header itself where a target's flags do not match.
option(MUSTER_PRECOMPILE "Precompile the standard headers" ${PROJECT_IS_TOP_LEVEL})

function(muster_add_precompiled name position_independent)
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp "")
    add_library(${name} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
    set_target_properties(${name} PROPERTIES
        CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ${position_independent})
    target_compile_features(${name} PRIVATE cxx_std_20)
    # The first is asked for by ccache; the second changes what is predefined.
    target_compile_options(${name} PRIVATE -fpch-preprocess -Wpedantic)
    target_precompile_headers(${name} PRIVATE ${PROJECT_SOURCE_DIR}/cmake/precompiled.hpp)
endfunction()

if(MUSTER_PRECOMPILE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    muster_add_precompiled(muster_precompiled_library ON)
    muster_add_precompiled(muster_precompiled_program OFF)
endif()

function(muster_precompile target)
    get_target_property(position_independent ${target} POSITION_INDEPENDENT_CODE)
    get_target_property(from ${target} MUSTER_PRECOMPILED)
    if(from)
        # Of flags that neither of the others has.
    elseif(position_independent)
        set(from muster_precompiled_library)
    else()
        set(from muster_precompiled_program)
    endif()
    if(TARGET ${from})
        target_compile_options(${target} PRIVATE -fpch-preprocess)
        target_precompile_headers(${target} REUSE_FROM ${from})
    endif()
endfunction()
