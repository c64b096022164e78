// swift-tools-version: 6.3
// A package like any user's, which depends on a tagged version of q3; `run` gives the address, and the README's example as Consumer.
import PackageDescription

let libraries: [Target.Dependency] = [
    .product(name: "Q3Embedding", package: "q3"), .product(name: "Q3Reranking", package: "q3"),
]
/// A member of a type is found only if a module that is imported, or re-exported by one, declares it.
let settings: [SwiftSetting] = [.enableUpcomingFeature("MemberImportVisibility")]

let package = Package(
    name: "Consumer",
    platforms: [.macOS(.v26), .iOS(.v26)],
    dependencies: [
        .package(
            url: Context.environment["Q3_URL", default: "https://localhost/q3"], from: "1.0.0", traits: ["OpenMP"])
    ],
    targets: [
        .executableTarget(name: "Consumer", dependencies: libraries, swiftSettings: settings),
        .executableTarget(name: "Door", dependencies: libraries, swiftSettings: settings),
    ]
)
