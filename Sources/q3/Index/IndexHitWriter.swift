// Hits of an index for people, which terminals and editors can open, and for programs.
#if Index
    import Q3Index
    import Q3IndexAPI
    import Q3System

    struct IndexHitWriter {
        private let hasColor: Bool
        /// What paths are shown relative to.
        private let folder: String

        /// For stdout, unless the output goes to a file.
        init(toFile: Bool) {
            self.init(hasColor: !toFile && Terminal.hasColor(1), folder: absolute("."))
        }

        init(hasColor: Bool, folder: String) {
            (self.hasColor, self.folder) = (hasColor, folder)
        }

        /// Score, place, id and headings with tabs between, and below them the snippet.
        func text(_ hit: IndexHit) -> [UInt8] {
            let place = "\(Self.path(hit.path, from: folder)):\(hit.lines.lowerBound)".withControlsEscaped
            let name = hit.name.map { "\t\($0.withControlsEscaped)" } ?? ""
            let score = Double(hit.relevance ?? hit.score).fixed(4)
            return Array(
                "\(color(score, "32"))\t\(color(place, "36"))\(name)\t\(hit.context.withControlsEscaped)\n"
                    .utf8) + Array("    \(marked(hit.snippet))\n".utf8)
        }

        /// All that is known of a hit, with the whole path and every digit.
        func json(_ hit: IndexHit) -> [UInt8] { Array("\(IndexJSON.hit(hit))\n".utf8) }

        private func color(_ text: String, _ code: String) -> String {
            hasColor ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
        }

        /// The snippet with its words in bold on a terminal.
        private func marked(_ snippet: Snippet) -> String {
            guard hasColor else { return snippet.text.withControlsEscaped }
            let scalars = Array(snippet.text.unicodeScalars)
            var result = ""
            var end = 0
            func part(_ range: Range<Int>) -> String {
                var view = String.UnicodeScalarView()
                view.append(contentsOf: scalars[range])
                return String(view).withControlsEscaped
            }
            for mark in snippet.marks {
                result += part(end..<mark.lowerBound) + color(part(mark), "1")
                end = mark.upperBound
            }
            return result + part(end..<scalars.count)
        }

        /// A path as it is opened from `folder`: the way there, or the whole path where that is shorter.
        static func path(_ path: String, from folder: String) -> String {
            guard path.utf8.first == UInt8(ascii: "/"), folder.utf8.first == UInt8(ascii: "/") else { return path }
            let (parts, here) = (path.utf8.split(separator: 0x2F), folder.utf8.split(separator: 0x2F))
            let shared = zip(parts, here).prefix { $0.elementsEqual($1) }.count
            let way = Array(repeating: "..", count: here.count - shared) + parts[shared...].map { String($0) ?? "" }
            let relative = way.joined(separator: "/")
            return relative.isEmpty || relative.utf8.count >= path.utf8.count ? path : relative
        }
    }
#endif
