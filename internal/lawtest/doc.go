// Package lawtest proves the laws that every layer keeps, on its server for tests and on the real
// one alike:
//
//  1. planning twice gives the same plan;
//  2. planning writes nothing;
//  3. the plan after an apply is empty;
//  4. cut off anywhere, the next apply ends it, and the report of the one that was cut off was true;
//  5. what is not ours is never touched;
//  6. no secret appears in a plan, a diff, an error, an event, a report or whatever else the layer says;
//  7. nothing outside the boundary is dialled.
//
// A layer's conformance suite describes what it works on as a [World]:
//
//	lawtest.Laws(t, func(t *testing.T) lawtest.World {
//		server, spec := start(t), everything()
//		return lawtest.World{
//			Plan:   func(ctx context.Context) (*lab.Plan, error) { return server.Plan(ctx, spec) },
//			Writes: func(testing.TB) int64 { return server.writes() },
//			...
//		}
//	})
package lawtest
