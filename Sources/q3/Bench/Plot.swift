// A figure of line plots side by side, as SVG.
import Q3System

struct Plot {
    let title: String
    let xLabel: String
    let yLabel: String
    let xAxis: Axis
    let yAxis: Axis
    /// Joined in their order.
    let points: [(x: Double, y: Double)]

    // Pixels of the frame, of what surrounds it, and of the headline.
    private static let (width, height) = (340.0, 220.0)
    private static let (left, right, top, bottom) = (72.0, 20.0, 36.0, 52.0)
    private static let headline = 34.0
    private static let color = "#1f6fb4"

    /// An SVG document of plots from left to right under a headline.
    static func figure(_ plots: [Plot], headline text: String) -> String {
        let size = (
            width: Double(plots.count) * (left + width + right), height: headline + top + height + bottom
        )
        var svg = """
            <?xml version="1.0" encoding="UTF-8"?>
            <svg xmlns="http://www.w3.org/2000/svg" width="\(px(size.width))" height="\(px(size.height))" \
            viewBox="0 0 \(px(size.width)) \(px(size.height))" font-family="sans-serif" font-size="12" fill="#222">
            <rect width="100%" height="100%" fill="white"/>
            <text x="\(px(left))" y="24" font-size="14">\(XMLText.escaped(text))</text>

            """
        for (index, plot) in plots.enumerated() {
            let x = Double(index) * (left + width + right) + left
            svg += "<g transform=\"translate(\(px(x)) \(px(headline + top)))\">\n\(plot.body)</g>\n"
        }
        return svg + "</svg>\n"
    }

    /// Everything of one plot; the frame's upper left corner is the origin.
    private var body: String {
        let (width, height) = (Self.width, Self.height)
        var lines = ["<text y=\"-12\" font-weight=\"bold\">\(XMLText.escaped(title))</text>"]
        for tick in yAxis.ticks {
            let y = height * (1 - yAxis.place(tick))
            lines.append(Self.line(from: (0, y), to: (width, y), color: "#ddd"))
            lines.append(Self.label(Axis.label(tick), at: (-8, y + 4), anchor: "end"))
        }
        for tick in xAxis.ticks {
            let x = width * xAxis.place(tick)
            lines.append(Self.line(from: (x, height), to: (x, height + 5), color: "#333"))
            lines.append(Self.label(Axis.label(tick), at: (x, height + 19), anchor: "middle"))
        }
        lines.append(Self.line(from: (0, height), to: (width, height), color: "#333"))
        lines.append(Self.label(xLabel, at: (width / 2, height + 40), anchor: "middle"))
        lines.append("<g transform=\"translate(-56 \(Self.px(height / 2))) rotate(-90)\">")
        lines.append("\(Self.label(yLabel, at: (0, 0), anchor: "middle"))</g>")

        let places = points.map { point in
            (x: Self.px(width * xAxis.place(point.x)), y: Self.px(height * (1 - yAxis.place(point.y))))
        }
        let path = places.map { "\($0.x),\($0.y)" }.joined(separator: " ")
        lines.append("<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(Self.color)\" stroke-width=\"2\"/>")
        for (place, point) in zip(places, points) {
            let title = "<title>\(Axis.label(point.x)): \(Axis.label(point.y))</title>"
            lines.append(
                "<circle cx=\"\(place.x)\" cy=\"\(place.y)\" r=\"3.5\" fill=\"\(Self.color)\">\(title)</circle>")
        }
        return lines.map { "\($0)\n" }.joined()
    }

    private static func line(from: (x: Double, y: Double), to: (x: Double, y: Double), color: String) -> String {
        "<line x1=\"\(px(from.x))\" y1=\"\(px(from.y))\" x2=\"\(px(to.x))\" y2=\"\(px(to.y))\" stroke=\"\(color)\"/>"
    }

    private static func label(_ text: String, at place: (x: Double, y: Double), anchor: String) -> String {
        "<text x=\"\(px(place.x))\" y=\"\(px(place.y))\" text-anchor=\"\(anchor)\">\(XMLText.escaped(text))</text>"
    }

    private static func px(_ coordinate: Double) -> String { coordinate.trimmed(1) }
}
