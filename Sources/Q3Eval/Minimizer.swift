// L-BFGS for a smooth convex function.

/// Limited-memory BFGS with backtracking (Nocedal and Wright, Numerical Optimization, algorithms 7.4 and 7.5).
enum Minimizer {
    typealias Point = [SIMD8<Double>]

    private static let memory = 10
    /// Points that are in memory at once: the steps with their changes, and those of one iteration.
    static let pointCount = 2 * (memory + 1) + 8
    private static let iterationLimit = 1000
    /// The part of a value that its rounding may hide: its products are in f32.
    private static let valueError = 1e-6

    /// Where `function`, which gives value and gradient, is smallest: no slope is above `tolerance` there, unless rounding hides
    /// any further descent.
    static func minimum(
        from start: Point, tolerance: Double, of function: (Point) async throws -> (value: Double, gradient: Point)
    ) async throws -> Point {
        var point = start
        var (value, gradient) = try await function(point)
        var steps: [(step: Point, change: Point, curvature: Double)] = []
        for _ in 0..<iterationLimit where largest(gradient) > tolerance {
            let direction = scaled(inverseHessian(times: gradient, steps), by: -1)
            let slope = dot(direction, gradient)
            var length = steps.isEmpty ? min(1, 1 / dot(gradient, gradient).squareRoot()) : 1
            var next = sum(point, direction, times: length)
            var (nextValue, nextGradient) = try await function(next)
            // Near the minimum the descent is less than the value's rounding; there the slope at the new point decides, which is
            // the same for a parabola (Hager and Zhang 2005, approximate Wolfe conditions).
            while !(nextValue <= value + 1e-4 * length * slope
                || nextValue <= value + valueError * abs(value)
                    && dot(nextGradient, direction) <= (2e-4 - 1) * slope)
            {
                length /= 2
                guard length > 1e-10 else { return point }
                next = sum(point, direction, times: length)
                (nextValue, nextGradient) = try await function(next)
            }
            let step = sum(next, point, times: -1)
            let change = sum(nextGradient, gradient, times: -1)
            let curvature = dot(step, change)
            if curvature > 0 { steps.append((step, change, curvature)) }
            if steps.count > memory { steps.removeFirst() }
            (point, value, gradient) = (next, nextValue, nextGradient)
        }
        return point
    }

    /// The two-loop recursion.
    private static func inverseHessian(
        times gradient: Point, _ steps: [(step: Point, change: Point, curvature: Double)]
    ) -> Point {
        var result = gradient
        var factors: [Double] = []
        for (step, change, curvature) in steps.reversed() {
            let factor = dot(step, result) / curvature
            factors.append(factor)
            result = sum(result, change, times: -factor)
        }
        if let last = steps.last { result = scaled(result, by: last.curvature / dot(last.change, last.change)) }
        for ((step, change, curvature), factor) in zip(steps, factors.reversed()) {
            result = sum(result, step, times: factor - dot(change, result) / curvature)
        }
        return result
    }

    private static func dot(_ a: Point, _ b: Point) -> Double {
        var sums = SIMD8<Double>.zero
        for index in a.indices { sums += a[index] * b[index] }
        return sums.sum()
    }

    private static func sum(_ a: Point, _ b: Point, times factor: Double) -> Point {
        a.indices.map { a[$0] + b[$0] * factor }
    }

    private static func scaled(_ point: Point, by factor: Double) -> Point { point.map { $0 * factor } }

    private static func largest(_ point: Point) -> Double {
        point.reduce(0) { max($0, $1.max(), -$1.min()) }
    }
}
