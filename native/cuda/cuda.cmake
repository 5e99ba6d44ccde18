# libmoabench_cuda.so: one exported symbol, static CUDA runtime, no libcuda or cuBLAS at link time.
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know nvcc's flag yet
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
endif()
set(CMAKE_CUDA_STANDARD 20)
file(GLOB MOABENCH_CUDA_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cuda/*/*.cu ${CMAKE_CURRENT_SOURCE_DIR}/cuda/*/*.cc)
add_library(moabench_cuda SHARED ${MOABENCH_CUDA_SOURCES})
set_target_properties(moabench_cuda PROPERTIES
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}
  CUDA_RUNTIME_LIBRARY Static
  CUDA_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
target_include_directories(moabench_cuda PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/include)
target_include_directories(moabench_cuda SYSTEM PRIVATE ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
foreach(architecture IN LISTS MOABENCH_CUDA_ARCHITECTURES)
  target_compile_options(moabench_cuda PRIVATE
    "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-gencode arch=compute_${architecture},code=sm_${architecture}>")
endforeach()
# Device code stays uncompressed, so that CI can read the kernels from the library (scripts/kernels).
target_compile_options(moabench_cuda PRIVATE
  "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-O3 --expt-relaxed-constexpr --no-compress -Xcompiler -Wall>")
target_link_options(moabench_cuda PRIVATE -Wl,-z,now -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/cuda/host/exports.map)
target_link_libraries(moabench_cuda PRIVATE Threads::Threads ${CMAKE_DL_LIBS} rt)
