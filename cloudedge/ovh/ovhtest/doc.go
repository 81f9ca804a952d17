// Package ovhtest is the API of an OVH account in this process, for tests of what uses package ovh. It answers the
// requests that package ovh sends: OAuth2 clients, IAM policies and what they allow, DNS zones and their records,
// domains with name servers and tasks, and both ways to log in.
//
//	s := ovhtest.New(t, ovhtest.Config{})
//	s.AddZone("example.com", "www IN A 192.0.2.1")
//	account := s.Access()
//	p, err := account.Plan(ctx, spec)
//
// It is no kinder than OVH: lists come in pages of a few, every third new record has the ID 0 in the answer, texts come
// back quoted and in pieces, a time to live that is the zone's comes back as 0, filters are those of LIKE, what a
// client may do is what policies with its identity allow, and nothing is served before a refresh. [Config.Lag] hides
// what is new for a while.
//
// A request that it does not know is answered with status 501, never with success, and so is a field of a body that it
// does not know; [Server.Violations] has them. OVH itself was never asked.
package ovhtest
