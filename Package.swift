// swift-tools-version: 6.3
import PackageDescription

let swift: [SwiftSetting] = [
    .enableExperimentalFeature("Lifetimes"),  // @_lifetime on span getters; swift-nio ships with it
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .strictMemorySafety(),
]

let package = Package(
    name: "q3",
    platforms: [.macOS(.v26)],
    products: [
        .library(name: "Q3Embedding", targets: ["Q3Embedding"]),
        .library(name: "Q3Reranking", targets: ["Q3Reranking"]),
        .library(name: "Q3GGUF", targets: ["Q3GGUF"]),
        .executable(name: "q3", targets: ["q3"]),
    ],
    traits: [
        .trait(name: "OpenMP", description: "Thread team through libomp (Linux); without it one thread computes."),
        .default(enabledTraits: ["OpenMP"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
    ],
    targets: [
        .target(
            name: "CShims", path: "CShims",
            cSettings: [
                .unsafeFlags(["-O2"], .when(configuration: .debug)),  // intrinsics at -O0 are ~60 times slower
                .define("NDEBUG", .when(configuration: .release)),
                .define("Q3_OPENMP", .when(platforms: [.linux], traits: ["OpenMP"])),
            ],
            linkerSettings: [
                .linkedLibrary("omp5", .when(platforms: [.linux], traits: ["OpenMP"])),
                .linkedLibrary("m", .when(platforms: [.linux])),
            ]),
        .target(name: "Q3GGUF", swiftSettings: swift),
        .target(name: "Q3Kernels", dependencies: ["CShims"], swiftSettings: swift),
        .target(name: "Q3Tokenizer", dependencies: ["Q3GGUF"], swiftSettings: swift),
        .target(name: "Q3Model", dependencies: ["Q3GGUF", "Q3Kernels"], swiftSettings: swift),
        // Every module that a target imports is named: an incremental build follows only these, and would otherwise mix
        // code for the old and the new layout of a type.
        .target(name: "Q3Embedding", dependencies: ["Q3GGUF", "Q3Model", "Q3Tokenizer"], swiftSettings: swift),
        .target(name: "Q3Reranking", dependencies: ["Q3GGUF", "Q3Model", "Q3Tokenizer"], swiftSettings: swift),
        .target(name: "Q3Input", swiftSettings: swift),
        .executableTarget(
            name: "q3",
            dependencies: [
                "Q3Embedding", "Q3GGUF", "Q3Input", "Q3Kernels", "Q3Model", "Q3Reranking", "Q3Tokenizer",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], swiftSettings: swift),
        .testTarget(
            name: "Q3TokenizerTests", dependencies: ["Q3GGUF", "Q3Tokenizer", "TestSupport"], swiftSettings: swift),
        .testTarget(name: "Q3GGUFTests", dependencies: ["Q3GGUF", "TestSupport"], swiftSettings: swift),
        .target(name: "TestSupport", dependencies: ["Q3GGUF"], path: "Tests/TestSupport", swiftSettings: swift),
        .testTarget(
            name: "Q3EmbeddingTests", dependencies: ["Q3Embedding", "Q3GGUF", "Q3Model", "Q3Tokenizer", "TestSupport"],
            swiftSettings: swift),
        .testTarget(
            name: "Q3RerankingTests", dependencies: ["Q3GGUF", "Q3Model", "Q3Reranking", "Q3Tokenizer", "TestSupport"],
            swiftSettings: swift),
        .executableTarget(
            name: "Fuzz",
            dependencies: ["Q3Embedding", "Q3GGUF", "Q3Input", "Q3Reranking", "Q3Tokenizer", "TestSupport"],
            path: "Tests/Fuzz", exclude: ["Corpus", "gguf.dict", "kernels.c", "make_corpus.py", "run"],
            swiftSettings: swift),
        .testTarget(name: "FuzzTests", dependencies: ["Fuzz", "TestSupport"], swiftSettings: swift),
        .testTarget(name: "CLITests", dependencies: ["q3", "Q3GGUF", "Q3Input", "TestSupport"], swiftSettings: swift),
        .testTarget(
            name: "Q3KernelsTests", dependencies: ["CShims", "Q3GGUF", "Q3Kernels", "TestSupport"], swiftSettings: swift
        ),
        .testTarget(
            name: "Q3ModelTests", dependencies: ["Q3GGUF", "Q3Kernels", "Q3Model", "TestSupport"], swiftSettings: swift),
    ],
    swiftLanguageModes: [.v6]
)
