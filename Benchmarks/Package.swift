// swift-tools-version: 6.3
import PackageDescription

// A package of its own, so that nobody who uses q3 fetches a benchmark harness.
let package = Package(
    name: "q3-benchmarks",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(name: "q3", path: ".."),
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.0", traits: []),
    ],
    targets: [
        .executableTarget(
            name: "Kernels",
            dependencies: [
                .product(name: "Benchmark", package: "benchmark"),
                .product(name: "Q3Embedding", package: "q3"),
                .product(name: "_Q3Kernels", package: "q3"),
            ],
            path: "Benchmarks/Kernels",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")])
    ],
    swiftLanguageModes: [.v6]
)
