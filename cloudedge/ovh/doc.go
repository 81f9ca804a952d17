// Package ovh provisions an OVH account: OAuth2 clients and the IAM policies that say what they may do, the records of
// DNS zones, and which name servers a domain is delegated to. It observes the account, plans what differs, and applies
// exactly that; the plan after an apply is empty. There is no state file.
//
//	a := &ovh.Account{ClientID: id, ClientSecret: secret, Boundary: boundary}
//	p, err := a.Plan(ctx, ovh.Spec{
//		Sink:    sink, // where the secrets of clients are kept
//		Clients: []ovh.Client{{Name: "cms", Secret: "cms/ovh"}},
//		Policies: []ovh.Policy{{Name: "cms", Clients: []string{"cms"}, Purposes: []string{"zone-records"},
//			Resources: []string{"urn:v1:eu:resource:dnsZone:example.com"}}},
//	})
//	fmt.Print(p)
//	r, err := p.Apply(ctx, nil)
//
// # Clients
//
// A client is known as ours by the mark at the end of its description, whatever its name has become. Its secret is
// shown once: the sink is proved to be writable before the client is created, the secret is stored, read back, and
// proved by a login, and each plan proves it again. One that is lost cannot be shown again: the client is succeeded by
// another, which is another identity, so the policies of the spec are pointed to it before its predecessor is removed.
// A run that is cut off anywhere leaves at most a client of ours whose secret nobody has; the next one removes it. A
// client that a policy of somebody else's names is not removed.
//
// # Policies
//
// The actions of a [Policy] are computed: each purpose is a list of operations, and OVH's own schemas say which action
// each needs. Before a policy is written, its actions are looked up in OVH's reference. What the spec says nothing of,
// such as conditions, stays as it is. Policies that OVH manages (readOnly) are left out.
//
// # Zones
//
// A [Record] is all records of its type and name. Records have no place for a mark, so one that exists and differs is
// changed only if [Spec].Owned says that it is ours, or with [Spec].Adopt. All changes of a zone are made together:
// first what goes is removed, then what is missing is added, and then the zone is refreshed, once, which is when OVH
// serves it. What is removed because it is no longer wanted comes at the end of the plan, with a refresh of its own.
// That a zone was changed and not refreshed since is in its IAM tag lab-refresh, set before the first change and
// removed after the refresh, when the zone was proved to have what was sent: the run after one that was cut off
// refreshes.
//
// # Delegation
//
// Name servers are changed only when every record that the zone at OVH serves is on the other side, as
// [Delegation].Other lists it, and when no DS record is at the registry: the error names each record that is missing.
// The guard is asked when planning, and again when the plan is applied. Removing the DS record must be asked for, and
// is a change of its own; the name servers wait for a later plan. The task at OVH is followed to its end, also by the
// run after one that was cut off.
//
// # What it never does
//
// It never creates or removes a zone or a domain, never changes the NS records of a zone itself, never deletes a record
// set that is not declared or owned, and never replaces what cannot be changed in place: a client of another flow is an
// error. It reads nothing of the environment, nor ovh.conf, and follows no redirect. It repeats reads, and what OVH
// says it has not done (429); nothing else.
//
// # Cost
//
// A plan costs one request for OVH's time with the keys of an application, or one for a login; one for the IDs of
// clients, one for each client of the account, and one login for each that is wanted; one for each 100 policies; two
// for each zone, whatever the number of its records; and two for each domain and one for each of its name servers.
// Where name servers differ, it is one more, and two for the zone; where a policy differs, one for each 100 actions of
// a resource type. [Account.Parallel] of them are under way at once.
//
// # Errors
//
// What is wrong with a spec comes as [lab.Problems]; what OVH said as an [*APIError] in a [*lab.Error], with the
// sentinel of package lab that fits and the query's ID for OVH's support. After any error the next run continues.
//
// # Limits
//
// OVH itself was never asked: the package is proved against ovhtest, OVH's published schemas, and OVH's own Go client.
// What those do not say is assumed: that the export of a zone is what the next refresh will serve; that IAM tags are
// read as they were written; that a list of name servers shows those that a task brings and takes.
package ovh
