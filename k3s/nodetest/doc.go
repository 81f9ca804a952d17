// Package nodetest has a k3s for machines of hosttest: a stand-in that installs, starts, joins, upgrades and is asked as
// k3s is, without any Kubernetes in it, so that no pod runs.
//
//	cluster := nodetest.NewCluster("v1.34.3+k3s1", "v1.34.4+k3s1")
//	box := hosttest.New(t, hosttest.Config{Hostname: "pi1"})
//	cluster.Install(box, "192.0.2.1")
//	config := k3s.Config{Version: "v1.34.3+k3s1", Binaries: cluster.Binaries("v1.34.3+k3s1"), Servers: []string{"pi1"}, Address: "192.0.2.1"}
//
// It parses the real config.yaml and refuses options that k3s does not have; a token that is not the cluster's, a CA that
// is not the token's, another machine under the name of a node, and an agent that is newer than its server are refused
// too. What it does not know is an error that says "k3s stand-in:".
package nodetest
