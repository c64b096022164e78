// swift-tools-version: 6.3
import PackageDescription

let swift: [SwiftSetting] = [
    .enableExperimentalFeature("Lifetimes"),  // @_lifetime on span getters; swift-nio ships with it
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .strictMemorySafety(),
]

/// A product that only the server needs.
func server(_ name: String, _ package: String) -> Target.Dependency {
    .product(name: name, package: package, condition: .when(traits: ["Server"]))
}

/// What `ModelOptions`, `Tokenizer`, `GGUFFile` and their like are declared in.
let engine = ["Q3Model", "Q3Tokenizer", "Q3GGUF"]

let package = Package(
    name: "q3",
    // InlineArray, which the tokenizer's cache is made of, is in the systems' own library from these versions on.
    platforms: [.macOS(.v26), .iOS(.v26)],
    products: [
        // Each library has every module whose types stand in its signatures, and re-exports them; Q3Server has Q3Index by the
        // trait alone, since that needs SQLite.
        .library(name: "Q3Embedding", targets: ["Q3Embedding"] + engine),
        .library(name: "Q3Reranking", targets: ["Q3Reranking"] + engine),
        .library(name: "Q3GGUF", targets: ["Q3GGUF"]),
        .library(name: "Q3Mini", targets: ["Q3Mini", "Q3Embedding"] + engine),
        .library(name: "Q3Index", targets: ["Q3Index", "Q3Embedding", "Q3Reranking"] + engine),
        .library(name: "Q3Analysis", targets: ["Q3Analysis", "Q3Linear"]),
        .library(name: "Q3Training", targets: ["Q3Training", "Q3Embedding", "Q3Linear", "Q3Reranking"] + engine),
        .library(
            name: "Q3Server", targets: ["Q3Server", "Q3Analysis", "Q3Linear", "Q3Embedding", "Q3Reranking"] + engine),
        // For the package in Benchmarks alone: it changes without notice.
        .library(name: "_Q3Kernels", targets: ["Q3Kernels"]),
        // libq3, which scripts/link-static links once more with the Swift runtime inside: SwiftPM cannot.
        .library(name: "q3c", type: .dynamic, targets: ["Q3C"]),
        .executable(name: "q3", targets: ["q3"]),
    ],
    traits: [
        .trait(name: "OpenMP", description: "Thread team through libomp (Linux); without it one thread computes."),
        .trait(name: "Mini", description: "A small model inside q3, used where no --model is given; 9 MB."),
        .trait(
            name: "Server",
            description: "q3 serve, with Hummingbird and what it needs; without it none of that is fetched."),
        .trait(
            name: "TLS", description: "HTTPS in q3 serve, with BoringSSL; off by default, since most have a proxy.",
            enabledTraits: ["Server"]),
        .trait(
            name: "Pull",
            description: "q3 pull, with the system's libcurl; only the headers of that are needed to build."),
        .trait(name: "Index", description: "q3 index and search of an index, with the system's SQLite."),
        .trait(name: "Training", description: "q3 tune: adapters and LoRA on the CPU."),
        .default(enabledTraits: ["Index", "Mini", "OpenMP", "Server", "Pull", "Training"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .target(
            name: "CShims", path: "CShims", exclude: ["README.md", "make_grids.py"],
            cSettings: [
                .unsafeFlags(["-O2"], .when(configuration: .debug)),  // intrinsics at -O0 are ~60 times slower
                .define("NDEBUG", .when(configuration: .release)),
                .define("Q3_OPENMP", .when(platforms: [.linux], traits: ["OpenMP"])),
            ],
            linkerSettings: [
                .linkedLibrary("omp5", .when(platforms: [.linux], traits: ["OpenMP"])),
                .linkedLibrary("m", .when(platforms: [.linux])),
            ]),
        .target(
            name: "CQ3System", cSettings: [.unsafeFlags(["-O2"], .when(configuration: .debug))]),
        .target(name: "Q3System", dependencies: ["CQ3System"], swiftSettings: swift),
        .target(name: "Q3GGUF", dependencies: ["Q3System"], swiftSettings: swift),
        .target(name: "Q3Kernels", dependencies: ["CShims", "Q3System"], swiftSettings: swift),
        .target(
            name: "Q3Convert",
            dependencies: ["Q3GGUF", "Q3Kernels", "Q3Model", "Q3Reranking", "Q3System", "Q3Tokenizer"],
            swiftSettings: swift),
        .target(name: "Q3Tokenizer", dependencies: ["Q3GGUF", "Q3System"], swiftSettings: swift),
        .target(name: "Q3Model", dependencies: ["Q3GGUF", "Q3Kernels", "Q3System"], swiftSettings: swift),
        // Every module that a target imports is named: an incremental build follows only these, and would otherwise mix
        // code for the old and the new layout of a type.
        .target(
            name: "Q3Embedding", dependencies: ["Q3GGUF", "Q3Model", "Q3System", "Q3Tokenizer"], swiftSettings: swift),
        .target(name: "CMini", exclude: ["README.md", "q3-mini.gguf", "training"]),
        .target(name: "Q3Mini", dependencies: ["CMini", "Q3Embedding", "Q3GGUF", "Q3Model"], swiftSettings: swift),
        .target(
            name: "Q3Reranking", dependencies: ["Q3GGUF", "Q3Model", "Q3System", "Q3Tokenizer"], swiftSettings: swift),
        .systemLibrary(name: "CSQLite"),
        .target(
            name: "Q3Index",
            dependencies: [
                "CSQLite", "Q3Embedding", "Q3GGUF", "Q3Kernels", "Q3Model", "Q3Reranking", "Q3System", "Q3Tokenizer",
            ], swiftSettings: swift,
            // The archive, so that a machine that runs q3 needs no SQLite.
            linkerSettings: [
                .linkedLibrary(":libsqlite3.a", .when(platforms: [.linux])),
                .linkedLibrary("sqlite3", .when(platforms: [.macOS, .iOS])),
            ]),
        .target(
            name: "Q3IndexAPI",
            dependencies: ["Q3Embedding", "Q3Index", "Q3Reranking", "Q3System"], swiftSettings: swift),
        .target(
            name: "CPages", path: "Sources/CPages",
            exclude: ["compare.html", "docs.html", "openapi.json", "page.html", "search.html"]),
        .target(
            name: "Q3Server",
            dependencies: [
                "Q3Analysis", "Q3Embedding", "Q3GGUF", "Q3Linear", "Q3Model", "Q3Reranking", "Q3System", "Q3Tokenizer",
                .target(name: "Q3Index", condition: .when(traits: ["Index"])),
                .target(name: "Q3IndexAPI", condition: .when(traits: ["Index"])),
                "CPages", server("Hummingbird", "hummingbird"), server("HummingbirdCore", "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird", condition: .when(traits: ["TLS"])),
                .product(name: "NIOSSL", package: "swift-nio-ssl", condition: .when(traits: ["TLS"])),
                server("HTTPTypes", "swift-http-types"), server("Logging", "swift-log"),
                server("CoreMetrics", "swift-metrics"), server("Metrics", "swift-metrics"),
                server("NIOCore", "swift-nio"), server("NIOHTTP1", "swift-nio"), server("NIOPosix", "swift-nio"),
                server("NIOHTTPTypesHTTP1", "swift-nio-extras"), server("NIOHTTPTypes", "swift-nio-extras"),
                server("ServiceLifecycle", "swift-service-lifecycle"), server("Tracing", "swift-distributed-tracing"),
                server("UnixSignals", "swift-service-lifecycle"),
            ], swiftSettings: swift),
        .systemLibrary(name: "CZlib"),
        .target(
            name: "Q3Input", dependencies: ["CZlib", "Q3System"], swiftSettings: swift,
            // The archive, as of SQLite.
            linkerSettings: [
                .linkedLibrary(":libz.a", .when(platforms: [.linux])),
                .linkedLibrary("z", .when(platforms: [.macOS, .iOS])),
            ]),
        // Products of many vectors, on which analysis and evaluation stand; never on the path of a text's vector.
        .target(
            name: "Q3Linear", dependencies: ["Q3Embedding", "Q3Kernels", "Q3Model", "Q3System"], swiftSettings: swift),
        .target(
            name: "Q3Analysis",
            dependencies: ["Q3Embedding", "Q3Eval", "Q3Kernels", "Q3Linear", "Q3Model", "Q3System"],
            swiftSettings: swift),
        .target(name: "Q3Eval", dependencies: ["Q3Embedding", "Q3Linear", "Q3System"], swiftSettings: swift),
        // Only q3 tune needs it, by its trait.
        .target(
            name: "Q3Training",
            dependencies: [
                "Q3Analysis", "Q3Convert", "Q3Embedding", "Q3Eval", "Q3GGUF", "Q3Kernels", "Q3Linear", "Q3Model",
                "Q3Reranking", "Q3System",
            ], swiftSettings: swift),
        .target(name: "CCatalog"),  // models.txt, as bytes in the program
        .target(name: "Q3Catalog", dependencies: ["CCatalog", "Q3GGUF", "Q3Model", "Q3System"], swiftSettings: swift),
        .target(name: "CCurl"),  // loads libcurl when it is needed; only its headers are there when q3 is built
        .target(
            name: "Q3Pull",
            dependencies: [
                "Q3Catalog", "Q3GGUF", "Q3Model", "Q3System",
                .target(name: "CCurl", condition: .when(traits: ["Pull"])),
            ], swiftSettings: swift),
        .target(name: "CQ3"),  // q3.h, the C interface as its users see it
        .target(
            name: "Q3C",
            dependencies: [
                "CQ3", "Q3Analysis", "Q3Catalog", "Q3Embedding", "Q3GGUF", "Q3Kernels", "Q3Linear", "Q3Model",
                "Q3Reranking", "Q3System", "Q3Tokenizer",
                .target(name: "Q3Mini", condition: .when(traits: ["Mini"])),
            ], exclude: ["exports.map"], swiftSettings: swift),
        .executableTarget(
            name: "q3",
            dependencies: [
                "Q3Analysis", "Q3Catalog", "Q3Convert", "Q3Embedding", "Q3Eval", "Q3GGUF", "Q3Input", "Q3Kernels",
                "Q3Linear", "Q3Model", "Q3Pull", "Q3Reranking", "Q3Server", "Q3System", "Q3Tokenizer",
                .target(name: "Q3Index", condition: .when(traits: ["Index"])),
                .target(name: "Q3IndexAPI", condition: .when(traits: ["Index"])),
                .target(name: "Q3Mini", condition: .when(traits: ["Mini"])),
                .target(name: "Q3Training", condition: .when(traits: ["Training"])),
                server("Logging", "swift-log"), server("Metrics", "swift-metrics"),
                server("ServiceLifecycle", "swift-service-lifecycle"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], swiftSettings: swift),
        .testTarget(
            name: "Q3TokenizerTests", dependencies: ["Q3GGUF", "Q3System", "Q3Tokenizer", "TestSupport"],
            swiftSettings: swift),
        .testTarget(
            name: "Q3ConvertTests",
            dependencies: [
                "Q3Convert", "Q3Embedding", "Q3GGUF", "Q3Kernels", "Q3Model", "Q3Reranking", "Q3System", "TestSupport",
            ],
            swiftSettings: swift),
        .testTarget(
            name: "Q3CatalogTests", dependencies: ["Q3Catalog", "Q3Model", "Q3System", "TestSupport"],
            swiftSettings: swift),
        .testTarget(
            name: "Q3PullTests", dependencies: ["Q3Catalog", "Q3Pull", "Q3System", "TestSupport"], swiftSettings: swift),
        .testTarget(name: "Q3GGUFTests", dependencies: ["Q3GGUF", "Q3System", "TestSupport"], swiftSettings: swift),
        .testTarget(name: "Q3SystemTests", dependencies: ["Q3System", "TestSupport"], swiftSettings: swift),
        .target(
            name: "TestSupport", dependencies: ["Q3GGUF", "Q3System"], path: "Tests/TestSupport", swiftSettings: swift),
        .testTarget(
            name: "Q3EmbeddingTests",
            dependencies: ["Q3Embedding", "Q3GGUF", "Q3Mini", "Q3Model", "Q3Tokenizer", "TestSupport"],
            swiftSettings: swift),
        .testTarget(
            name: "Q3RerankingTests", dependencies: ["Q3GGUF", "Q3Model", "Q3Reranking", "Q3Tokenizer", "TestSupport"],
            swiftSettings: swift),
        .executableTarget(
            name: "Fuzz",
            dependencies: [
                "Q3Convert", "Q3Embedding", "Q3GGUF", "Q3Input", "Q3Kernels", "Q3Model", "Q3Reranking", "Q3System",
                "Q3Tokenizer", "TestSupport", .target(name: "Q3Index", condition: .when(traits: ["Index"])),
            ],
            path: "Tests/Fuzz", exclude: ["Corpus", "gguf.dict", "kernels.c", "make_corpus.py", "run"],
            swiftSettings: swift),
        .testTarget(name: "FuzzTests", dependencies: ["Fuzz", "TestSupport"], swiftSettings: swift),
        .testTarget(
            name: "Q3ServerTests",
            dependencies: [
                "Q3Analysis", "Q3Embedding", "Q3Linear", "Q3GGUF", "Q3Model", "Q3Reranking", "Q3Server", "Q3Tokenizer",
                "TestSupport",
                .target(name: "Q3Index", condition: .when(traits: ["Index"])),
                .target(name: "Q3IndexAPI", condition: .when(traits: ["Index"])),
                server("CoreMetrics", "swift-metrics"), server("HTTPTypes", "swift-http-types"),
                server("Hummingbird", "hummingbird"), server("HummingbirdCore", "hummingbird"),
                server("Logging", "swift-log"), server("Metrics", "swift-metrics"), server("NIOCore", "swift-nio"),
                server("NIOEmbedded", "swift-nio"),
            ], swiftSettings: swift),
        .testTarget(
            name: "CLITests",
            dependencies: [
                "q3", "Q3Embedding", "Q3GGUF", "Q3Input", "Q3Model", "Q3Server", "Q3System", "TestSupport",
                server("Logging", "swift-log"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], swiftSettings: swift),
        .testTarget(
            name: "Q3IndexTests",
            dependencies: [
                "CSQLite", "Q3Embedding", "Q3GGUF", "Q3Index", "Q3Mini", "Q3Reranking", "Q3System", "Q3Tokenizer",
                "TestSupport",
            ],
            swiftSettings: swift),
        .testTarget(
            name: "Q3AnalysisTests",
            dependencies: ["Q3Analysis", "Q3Embedding", "Q3Kernels", "Q3Linear", "Q3System", "TestSupport"],
            swiftSettings: swift),
        .testTarget(
            name: "Q3TrainingTests",
            dependencies: [
                "Q3Convert", "Q3Embedding", "Q3GGUF", "Q3Kernels", "Q3Linear", "Q3Mini", "Q3Model", "Q3Reranking",
                "Q3System", "Q3Training", "TestSupport",
            ], swiftSettings: swift),
        .testTarget(name: "Q3EvalTests", dependencies: ["Q3Embedding", "Q3Eval", "TestSupport"], swiftSettings: swift),
        .testTarget(
            name: "Q3KernelsTests", dependencies: ["CShims", "Q3GGUF", "Q3Kernels", "Q3System", "TestSupport"],
            swiftSettings: swift
        ),
        .testTarget(
            name: "Q3ModelTests", dependencies: ["Q3GGUF", "Q3Kernels", "Q3Model", "Q3System", "TestSupport"],
            swiftSettings: swift),
    ],
    swiftLanguageModes: [.v6]
)

// `make docs` alone needs the plugin, so nothing else fetches it.
if Context.environment["Q3_DOCS"] != nil {
    package.dependencies.append(.package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"))
}
