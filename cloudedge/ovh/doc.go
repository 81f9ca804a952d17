// Package ovh provisions an OVH account: OAuth2 clients, IAM policies, the records of DNS zones, and which name servers a
// domain is delegated to.
package ovh
