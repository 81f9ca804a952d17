// Package dag orders what depends on each other.
package dag

import "slices"

// Sort returns the nodes 0 to n-1 so that each stands after those that after(node) lists, and
// otherwise in ascending order: a node is moved forward only as far as one that comes after it
// asks. after is called once a node; what it lists may repeat, and is placed in the order in which
// it is listed.
//
// Where the nodes cannot be ordered, order is nil and cycle is the way round: [2 5 2] says that 2
// comes after 5, and 5 after 2.
func Sort(n int, after func(node int) []int) (order, cycle []int) {
	const (
		pending = iota
		open    // on the path that is being followed
		placed
	)
	state := make([]int, n)
	order = make([]int, 0, n)
	var path []int
	var place func(node int) bool
	place = func(node int) bool {
		path = append(path, node)
		if state[node] == open {
			return false
		}
		if state[node] == pending {
			state[node] = open
			for _, before := range after(node) {
				if !place(before) {
					return false
				}
			}
			state[node] = placed
			order = append(order, node)
		}
		path = path[:len(path)-1]
		return true
	}
	for node := range n {
		if !place(node) {
			last := path[len(path)-1]
			return nil, path[slices.Index(path, last):]
		}
	}
	return order, nil
}
