// q3 index bench: the time of a query's scan beside the rate at which this machine reads memory.
#if Index
    import ArgumentParser
    import Q3Index
    import Q3Kernels
    import Q3System

    struct IndexBenchCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "bench", abstract: "Measures how fast the vectors of an index are searched.",
            usage: "q3 index bench INDEX [--queries N] [--comparing N]")

        @Argument(help: "The index.", completion: .directory)
        var index: String

        @Option(help: "Queries to time.")
        var queries = 100

        @Option(help: "Queries whose first ten places are compared with an exact search in f32.")
        var comparing = 10

        func validate() throws {
            if queries < 1 || comparing < 0 { throw ValidationError("--queries must be at least 1") }
        }

        func run() async throws {
            let opened = try SearchIndex(path: index)
            guard let reading = memoryReadRate(threads: processorCount) else {
                throw Failure(.system, "no memory to measure")
            }
            let measured = try await opened.measureScan(queries: queries, comparing: comparing)
            let times = measured.durations.map { $0 / .seconds(1) }.sorted()
            guard let best = times.first else { throw Failure(.noInput, "\(index) holds no vectors") }
            let median = times[times.count / 2]
            let rate = Double(measured.scannedBytes) / median
            var object = JSONObject()
            object.add("vectors", measured.vectors)
            object.add("dimensions", opened.configuration.dimensions)
            object.add("median_ms", median * 1000)
            object.add("best_ms", best * 1000)
            object.add("gigabytes_per_second", rate / 1e9)
            object.add("memory_gigabytes_per_second", reading / 1e9)
            object.add("share_of_memory_rate", rate / reading)
            object.add("agreeing_places", measured.agreeingPlaces)
            object.add("places", measured.places)
            try Terminal.output("\(object)")
        }
    }
#endif
