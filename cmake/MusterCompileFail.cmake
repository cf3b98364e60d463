# muster_add_compile_fail_test(<name> SOURCE f.cpp DEFINES X ... MATCH "regex" [LINK targets ...])
#
# Tests that a mistake is caught by the compiler, with words that help: the source must compile as
# it is, must not with the macros X ... defined, and then what the compiler says must match MATCH.
# One source may hold several mistakes, each behind a macro of its own; that it compiles without any
# is tested once, as compile_fail.<source>.compiles, with what the first test of it links. No
# semicolons in MATCH.
#
# This file is also the script that the test runs.

if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
    string(REPLACE "|" ";" INCLUDES "${INCLUDES}")
    list(REMOVE_DUPLICATES INCLUDES)
    list(TRANSFORM INCLUDES PREPEND -I)
    string(REPLACE "|" ";" DEFINES "${DEFINES}")
    list(TRANSFORM DEFINES PREPEND -D)
    set(command ${COMPILER} -std=c++20 -fsyntax-only ${INCLUDES})

    execute_process(COMMAND ${command} ${DEFINES} ${SOURCE}
        RESULT_VARIABLE status ERROR_VARIABLE output)
    if(NOT DEFINES)
        if(NOT status EQUAL 0)
            message(FATAL_ERROR "Must compile, but does not:\n${output}")
        endif()
    elseif(status EQUAL 0)
        message(FATAL_ERROR "Must not compile with ${DEFINES}, but does")
    elseif(NOT output MATCHES "${MATCH}")
        message(FATAL_ERROR
            "Fails to compile, as it must, but no message matches '${MATCH}':\n${output}")
    endif()
    return()
endif()

set(MUSTER_COMPILE_FAIL_SCRIPT ${CMAKE_CURRENT_LIST_FILE})

function(muster_add_compile_fail_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "SOURCE;MATCH" "DEFINES;LINK")
    muster_refuse_unknown(${name} "${arg_UNPARSED_ARGUMENTS}")
    get_filename_component(source ${arg_SOURCE} ABSOLUTE)
    cmake_path(GET source STEM stem)
    set(compiles compile_fail.${stem}.compiles)
    if(NOT TARGET ${compiles})
        # Never built: it gathers the include paths of what it links.
        add_library(${compiles} OBJECT EXCLUDE_FROM_ALL ${arg_SOURCE})
        target_link_libraries(${compiles} PRIVATE ${arg_LINK})
        muster_add_syntax_test(${compiles} ${compiles} ${source} "" "")
        set_tests_properties(${compiles} PROPERTIES FIXTURES_SETUP ${compiles})
    endif()
    list(JOIN arg_DEFINES "|" defines)
    muster_add_syntax_test(${name} ${compiles} ${source} "${defines}" "${arg_MATCH}")
    set_tests_properties(${name} PROPERTIES FIXTURES_REQUIRED ${compiles})
endfunction()

function(muster_add_syntax_test name include_target source defines match)
    add_test(NAME ${name} COMMAND ${CMAKE_COMMAND}
        -DCOMPILER=${CMAKE_CXX_COMPILER}
        "-DINCLUDES=$<JOIN:$<TARGET_PROPERTY:${include_target},INCLUDE_DIRECTORIES>,|>"
        -DDEFINES=${defines} -DSOURCE=${source} -DMATCH=${match}
        -P ${MUSTER_COMPILE_FAIL_SCRIPT})
    set_tests_properties(${name} PROPERTIES LABELS compile_fail TIMEOUT 120)
endfunction()
