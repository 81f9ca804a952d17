package inventory

// Spec describes an inventory. In a document, hosts and groups are mappings, and their order counts:
//
//	hosts:
//	  pi1: {address: 192.168.1.201, user: pi}
//	  localhost: {local: true}
//	groups:
//	  raspberries: {hosts: [pi1]}
type Spec struct {
	// Hosts are the machines, in inventory order.
	Hosts []HostSpec `yaml:"hosts,required"`

	// Groups are the groups other than the built-in "all", with every host, and "ungrouped", with
	// the hosts that are in no group.
	Groups []GroupSpec `yaml:"groups"`

	// Vars are the variables of every host.
	Vars map[string]any `yaml:"vars"`
}

// HostSpec is one machine of an inventory.
type HostSpec struct {
	// Name consists of letters, digits and ._- , and is not a number.
	Name string `yaml:",key"`

	// Address is a host name or an IP address, without a port; empty means Name.
	Address string `yaml:"address"`

	// Port is the port of SSH; 0 means 22.
	Port int `yaml:"port"`

	// User is who logs in; empty means that the program decides.
	User string `yaml:"user"`

	// Jump lists the machines to go through, the first dialled first: hosts of the inventory, or
	// addresses with a dot or a port. Jumps of a jump are ignored.
	Jump []string `yaml:"jump"`

	// Local marks the machine that the program runs on: it is not dialled, and has no address,
	// port, user or jump. An inventory has at most one local host.
	Local bool `yaml:"local"`

	// Vars are the variables of this host. They take precedence over those of its groups.
	Vars map[string]any `yaml:"vars"`
}

// GroupSpec is a group of hosts.
type GroupSpec struct {
	// Name consists of letters, digits and ._- , and is not a number.
	Name string `yaml:",key"`

	// Hosts are the names of the group's hosts, in the order in which they are selected.
	Hosts []string `yaml:"hosts"`

	// Children are groups whose hosts also belong to this group.
	Children []string `yaml:"children"`

	// Vars are the variables of the group's hosts. Those of a child take precedence over those of
	// its parent.
	Vars map[string]any `yaml:"vars"`

	// Priority decides between groups of the same depth: the variables of the highest take
	// precedence, and with equal priorities those of the last by name.
	Priority int `yaml:"priority"`
}
