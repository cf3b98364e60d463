# muster_install_package()
#
# Installs what find_package(Muster) reads. The packages that a user's build has to find are taken
# from what the installed libraries link, so the list cannot fall behind the code.
function(muster_install_package)
    include(CMakePackageConfigHelpers)
    set(dest ${CMAKE_INSTALL_LIBDIR}/cmake/Muster)
    muster_package_dependencies(MUSTER_FIND_DEPENDENCIES)
    configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/MusterConfig.cmake.in
        ${PROJECT_BINARY_DIR}/MusterConfig.cmake INSTALL_DESTINATION ${dest})
    write_basic_package_version_file(${PROJECT_BINARY_DIR}/MusterConfigVersion.cmake
        COMPATIBILITY SameMinorVersion)
    install(EXPORT MusterTargets NAMESPACE muster:: DESTINATION ${dest})
    install(FILES ${PROJECT_BINARY_DIR}/MusterConfig.cmake
        ${PROJECT_BINARY_DIR}/MusterConfigVersion.cmake DESTINATION ${dest})
endfunction()

# Sets <result> to the find_dependency() lines for every foreign target that an installed library
# links. Private links count too: a static library hands them on to whoever links it.
function(muster_package_dependencies result)
    get_property(libraries GLOBAL PROPERTY MUSTER_LIBRARIES)
    set(targets "")
    foreach(library IN LISTS libraries)
        get_target_property(links ${library} INTERFACE_LINK_LIBRARIES)
        string(REGEX MATCHALL "[A-Za-z0-9_]+::[A-Za-z0-9_]+" names "${links}")
        list(APPEND targets ${names})
    endforeach()
    list(REMOVE_DUPLICATES targets)
    list(FILTER targets EXCLUDE REGEX "^muster::")
    set(lines "")
    foreach(target IN LISTS targets)
        if(target MATCHES "^MPI::MPI_(C|CXX)$")
            list(APPEND lines "set(MPI_CXX_SKIP_MPICXX ON)" "find_dependency(MPI COMPONENTS ${CMAKE_MATCH_1})")
        elseif(target STREQUAL "Threads::Threads")
            list(APPEND lines "find_dependency(Threads)")
        elseif(target MATCHES "^CUDA::")
            list(APPEND lines "find_dependency(CUDAToolkit)")
        elseif(target STREQUAL "ZLIB::ZLIB")
            list(APPEND lines "find_dependency(ZLIB)")
        elseif(target MATCHES "^fmt::")
            list(APPEND lines "find_dependency(fmt)")
        elseif(target MATCHES "^(hdf5::hdf5|HDF5::HDF5)$")
            list(APPEND lines "muster_enable_c()" "find_dependency(HDF5 COMPONENTS C)")
        elseif(target MATCHES "^Eigen3::")
            list(APPEND lines "find_dependency(Eigen3)")
        elseif(target STREQUAL "LibTorch::LibTorch")
            # The module is Muster's own, installed beside this list; by default it finds what Muster was built with.
            install(FILES ${PROJECT_SOURCE_DIR}/cmake/FindLibTorch.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Muster)
            list(APPEND lines "list(APPEND CMAKE_MODULE_PATH \${CMAKE_CURRENT_LIST_DIR})"
                "if(NOT MUSTER_TORCH_ROOT)\n    set(MUSTER_TORCH_ROOT \"${MUSTER_TORCH_ROOT}\")\nendif()"
                "find_dependency(LibTorch)")
        elseif(target MATCHES "^Boost::(.+)$")
            if(CMAKE_MATCH_1 MATCHES "^(boost|headers)$")
                list(APPEND lines "find_dependency(Boost)")
            else()
                list(APPEND lines "find_dependency(Boost COMPONENTS ${CMAKE_MATCH_1})")
            endif()
        elseif(target MATCHES "^PkgConfig::(.+)$")
            string(TOLOWER ${CMAKE_MATCH_1} module)
            list(APPEND lines "find_dependency(PkgConfig)"
                "pkg_check_modules(${CMAKE_MATCH_1} REQUIRED IMPORTED_TARGET ${module})")
        else()
            message(FATAL_ERROR "an installed library links ${target}, and muster_package_dependencies() "
                "in cmake/MusterPackage.cmake does not know which package has it: add a line there")
        endif()
    endforeach()
    list(REMOVE_DUPLICATES lines)
    list(JOIN lines "\n" lines)
    set(${result} "${lines}" PARENT_SCOPE)
endfunction()
