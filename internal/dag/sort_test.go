package dag_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/dag"
)

func TestSort(t *testing.T) {
	for _, test := range []struct {
		name         string
		after        [][]int
		order, cycle []int
	}{
		{"nothing", nil, []int{}, nil},
		{"as given", [][]int{{}, {}, {}}, []int{0, 1, 2}, nil},
		{"as given where that is right", [][]int{{}, {0}, {0, 1}}, []int{0, 1, 2}, nil},
		{"moved forward by what needs it, and no other with it", [][]int{{3}, {}, {}, {}}, []int{3, 0, 1, 2}, nil},
		{"a chain", [][]int{{1}, {2}, {}}, []int{2, 1, 0}, nil},
		{"in the order in which it is listed", [][]int{{2, 1}, {}, {}}, []int{2, 1, 0}, nil},
		{"listed twice", [][]int{{1, 1}, {}}, []int{1, 0}, nil},
		{"two ways to the same", [][]int{{1, 2}, {3}, {3}, {}}, []int{3, 1, 2, 0}, nil},
		{"after itself", [][]int{{}, {1}}, nil, []int{1, 1}},
		{"a cycle", [][]int{{1}, {0}}, nil, []int{0, 1, 0}},
		{"a cycle, without the way to it", [][]int{{1}, {2}, {3}, {2}}, nil, []int{2, 3, 2}},
	} {
		order, cycle := dag.Sort(len(test.after), func(n int) []int { return test.after[n] })
		if !slices.Equal(order, test.order) || !slices.Equal(cycle, test.cycle) ||
			(order == nil) != (test.order == nil) {
			t.Errorf("%s: order %v, cycle %v; want %v, %v", test.name, order, cycle, test.order, test.cycle)
		}
	}
}

// Whatever the edges: either every node stands once and after those it comes after, or the cycle is one.
func TestSortRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	cycles := 0
	for range 2000 {
		n := 1 + random.IntN(9)
		after := make([][]int, n)
		for range random.IntN(2 * n) {
			from := random.IntN(n)
			after[from] = append(after[from], random.IntN(n))
		}
		order, cycle := dag.Sort(n, func(i int) []int { return after[i] })
		if cycle != nil {
			cycles++
			if order != nil || len(cycle) < 2 || cycle[0] != cycle[len(cycle)-1] {
				t.Fatalf("%v: order %v, cycle %v", after, order, cycle)
			}
			for i, node := range cycle[:len(cycle)-1] {
				if !slices.Contains(after[node], cycle[i+1]) {
					t.Fatalf("%v: cycle %v, but %d does not come after %d", after, cycle, node, cycle[i+1])
				}
			}
			continue
		}
		place := make([]int, n)
		for at, node := range order {
			place[node] = at
		}
		if sorted := slices.Sorted(slices.Values(order)); len(sorted) != n ||
			!slices.Equal(slices.Compact(sorted), sorted) {
			t.Fatalf("%v: order %v", after, order)
		}
		for node, before := range after {
			for _, b := range before {
				if place[b] >= place[node] {
					t.Fatalf("%v: order %v has %d before %d", after, order, node, b)
				}
			}
		}
	}
	if cycles == 0 || cycles == 2000 {
		t.Fatalf("%d of 2000 had cycles: this tests one half only", cycles)
	}
}
