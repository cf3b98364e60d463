# cmake -DMUSTER=<program> -DFOLDER=<folder> -P pages.cmake: the manual pages and completions, as the
# program itself prints them.
function(print_to file)
    execute_process(COMMAND ${MUSTER} ${ARGN} OUTPUT_FILE ${FOLDER}/${file} RESULT_VARIABLE code)
    if(NOT code EQUAL 0)
        message(FATAL_ERROR "muster ${ARGN}: exit code ${code}")
    endif()
endfunction()

file(MAKE_DIRECTORY ${FOLDER}/man1 ${FOLDER}/bash ${FOLDER}/zsh)
execute_process(COMMAND ${MUSTER} manual --names OUTPUT_VARIABLE names OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REPLACE "\n" ";" names "${names}")
print_to(man1/muster.1 manual)
foreach(name IN LISTS names)
    print_to(man1/muster-${name}.1 manual ${name})
endforeach()
print_to(bash/muster completions bash)
print_to(zsh/_muster completions zsh)
file(TOUCH ${FOLDER}/pages)
