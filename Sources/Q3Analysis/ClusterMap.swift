// A picture of clusters: rows on the plane of their two largest differences.
public import Q3Linear
import Q3System

/// A two-dimensional map.
public struct ClusterMap: Sendable {
    /// The place of each row.
    public let places: [SIMD2<Double>]
    /// The part of all differences that the plane shows, 0...1.
    public let shownVariance: Double

    /// Projects rows on their first two principal components (PCA). Throws `LinearError` and `CancellationError`.
    public init(_ vectors: VectorMatrix, threads: Int? = nil) async throws {
        try await MemoryNeed.check(
            AnalysisMemory.map(rows: vectors.count, dimensions: vectors.dimensions), startingThreads: threads)
        let plane = try await PrincipalAxes(vectors, count: 2, threads: threads)
        var places: [SIMD2<Double>] = []
        places.reserveCapacity(vectors.count)
        for row in 0..<vectors.count {
            let place = plane.place(vectors[row])
            places.append(SIMD2(place.first ?? 0, place.count > 1 ? place[1] : 0))
        }
        self.places = places
        shownVariance = plane.totalVariance > 0 ? min(1, plane.variances.reduce(0, +) / plane.totalVariance) : 0
    }

    /// Points that a picture shows at most; of more rows it shows so many, evenly spread.
    public static let pointLimit = 20_000

    /// The map as SVG: a point for each row in its cluster's color, grey where it has none; names stand at the middle of the largest
    /// clusters. `labels` are shown where the pointer rests on a point.
    public func svg(clusters: [Int?], names: [String], labels: [String]? = nil, title: String) -> String {
        let (width, height, edge) = (1000.0, 760.0, 30.0)
        let (low, high) = (bounds.low, bounds.high)
        func part(_ value: Double, _ low: Double, _ high: Double) -> Double {
            high > low ? (value - low) / (high - low) : 0.5
        }
        func place(_ point: SIMD2<Double>) -> SIMD2<Double> {
            let x: Double = edge + part(point.x, low.x, high.x) * (width - 2 * edge)
            let y: Double = height - edge - part(point.y, low.y, high.y) * (height - 2 * edge)
            return SIMD2(x, y)
        }
        var text = """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(width)) \(Int(height + 30))" \
            font-family="sans-serif" font-size="13">
            <title>\(XMLText.escaped(title))</title>
            <rect width="100%" height="100%" fill="white"/>

            """
        let taken = min(places.count, Self.pointLimit)
        var middles: [Int: (sum: SIMD2<Double>, count: Double)] = [:]
        for (row, cluster) in clusters.enumerated() {
            guard let cluster else { continue }
            let old = middles[cluster] ?? (.zero, 0)
            middles[cluster] = (old.sum + places[row], old.count + 1)
        }
        for index in 0..<taken {
            let row = index * places.count / taken
            let point = place(places[row])
            let color = clusters[row].map(Self.color) ?? "#bbb"
            let start =
                "<circle cx=\"\(Self.number(point.x))\" cy=\"\(Self.number(point.y))\" r=\"2\" fill=\"\(color)\" fill-opacity=\"0.6\""
            if let label = labels?[row] {
                text += "\(start)><title>\(XMLText.escaped(String(label.prefix(120))))</title></circle>\n"
            } else {
                text += "\(start)/>\n"
            }
        }
        let order = middles.sorted { a, b in
            a.value.count != b.value.count ? a.value.count > b.value.count : a.key < b.key
        }
        for (cluster, middle) in order.prefix(24) {
            let point = place(middle.sum / middle.count)
            text += """
                <text x="\(Self.number(point.x))" y="\(Self.number(point.y))" text-anchor="middle" stroke="white" \
                stroke-width="3" paint-order="stroke" fill="#111">\(XMLText.escaped(names[cluster]))</text>

                """
        }
        let percent = Int((shownVariance * 100).rounded())
        text +=
            "<text x=\"30\" y=\"\(Int(height + 15))\" fill=\"#555\">\(XMLText.escaped(title)): PCA, \(percent) % of the variance; "
        text +=
            taken < places.count
            ? "\(taken) of \(places.count) rows</text>\n</svg>\n" : "\(taken) rows</text>\n</svg>\n"
        return text
    }

    private var bounds: (low: SIMD2<Double>, high: SIMD2<Double>) {
        var (low, high) = (places.first ?? .zero, places.first ?? .zero)
        for place in places {
            low.replace(with: place, where: place .< low)
            high.replace(with: place, where: place .> high)
        }
        return (low, high)
    }

    /// Colors of neighbouring numbers differ most: each turns on by the golden angle.
    private static func color(_ cluster: Int) -> String {
        "hsl(\(Int(Double(cluster) * 137.508) % 360),65%,\(cluster / 7 % 2 == 0 ? 45 : 58)%)"
    }

    private static func number(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}
