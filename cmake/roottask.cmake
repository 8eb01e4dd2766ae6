# blocks.so, QEMU's plug-in that notes which blocks of the kernel ran; what it noted of an older kernel is void.
function(rescind_blocks kernel)
    add_library(blocks MODULE "${PROJECT_SOURCE_DIR}/emu/blocks/blocks.c")
    set_target_properties(blocks PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/emu" C_VISIBILITY_PRESET hidden)
    target_compile_definitions(blocks PRIVATE _GNU_SOURCE)
    add_custom_command(TARGET ${kernel} POST_BUILD COMMAND "${CMAKE_COMMAND}" -E rm -f "$<TARGET_FILE:${kernel}>.blocks")
endfunction()

# rescind_roottask(<name> <backend>): <name>.elf, the root task over the backend emu/<backend>, with seq, oracle, harness and bench
# compiled for it. With gcc only; not in sanitizer builds.
file(GLOB roottask_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/emu/roottask/*.c" "${PROJECT_SOURCE_DIR}/src/seq/*.c"
    "${PROJECT_SOURCE_DIR}/src/oracle/*.c" "${PROJECT_SOURCE_DIR}/src/harness/*.c" "${PROJECT_SOURCE_DIR}/src/bench/*.c")
list(REMOVE_ITEM roottask_sources "${PROJECT_SOURCE_DIR}/src/harness/host.c")
add_library(roottask_common OBJECT ${roottask_sources})

function(rescind_roottask_options target)
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/src/kernel"
        "${PROJECT_SOURCE_DIR}/emu/roottask")
    # Position-independent, for no other model reaches so high an address; nothing is relocated at run time.
    target_compile_options(${target} PRIVATE ${machine_options} -fpie -fvisibility=hidden -fno-jump-tables -ffunction-sections)
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
endfunction()
rescind_roottask_options(roottask_common)

function(rescind_roottask name backend)
    file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/emu/${backend}/*.c" "${PROJECT_SOURCE_DIR}/emu/${backend}/*.S")
    set(script "${PROJECT_SOURCE_DIR}/emu/${backend}/roottask.ld")
    add_executable(${name} ${sources} $<TARGET_OBJECTS:roottask_common>)
    rescind_roottask_options(${name})
    set_target_properties(${name} PROPERTIES OUTPUT_NAME ${name}.elf RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/emu"
        LINK_DEPENDS "${script}")
    target_link_options(${name} PRIVATE ${machine_link_options} "-Wl,-T,${script}" -Wl,--gc-sections -Wl,--no-relax)
endfunction()
