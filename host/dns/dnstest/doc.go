// Package dnstest has name servers in the test's process, for machines of hosttest and for what asks from outside.
//
//	n := dnstest.New(t)
//	docker := composetest.Install(box, composetest.Config{Registry: images, Programs: n.Programs()})
//	server, err := n.Place(box, docker, address) // the machine's address in the lab
//	gate := config.Gate(n)
//
// A [Network] is a LAN: name servers have addresses in it, machines ask them, and a client dials them by these
// addresses; what listens is on loopback. A container of the image pihole/pihole, run by a docker of composetest whose
// programs are those of [Network.Programs], is a name server that answers as dnsmasq does what its environment says.
//
// It knows the questions that package dns asks, and nothing else.
package dnstest
