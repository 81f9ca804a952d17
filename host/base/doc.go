// Package base is what every machine of the lab has, whatever runs on it: a name, the names of its
// peers, packages, accounts, the time, kernel parameters, security updates. A [Config] is written
// once for all machines; its method State is a pure function to a [host.State], so that a machine's
// plan shows every change:
//
//	c := base.Config{Timezone: "Europe/Paris", Packages: []string{"curl"}, NoSwap: true}
//	plan, err := m.Plan(ctx, c.State(base.Machine{Name: "pi1", Domain: "arcodange.lab"}))
//
// It is the first of the components of a machine, and the model of the others: a struct with its
// own yaml tags whose zero value works, Validate, which returns everything that is wrong with it by
// the paths of its fields, and State. A component reads nothing, connects to nothing and knows
// nothing of the others.
//
// # Errors
//
// What is wrong with a Config or a Machine is a [lab.Problems]; State does not look for it.
package base
