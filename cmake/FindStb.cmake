# stb_image, a library that is one header: target Stb::Stb. It has no version of its own as a package;
# where it is says more.
find_path(STB_INCLUDE_DIR NAMES stb/stb_image.h)

set(Stb_VERSION "${STB_INCLUDE_DIR}")

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Stb REQUIRED_VARS STB_INCLUDE_DIR)
mark_as_advanced(STB_INCLUDE_DIR)

if(Stb_FOUND AND NOT TARGET Stb::Stb)
    add_library(Stb::Stb INTERFACE IMPORTED)
    set_target_properties(Stb::Stb PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${STB_INCLUDE_DIR}")
endif()
