// Package gcstest has a project of Google Cloud in this process: buckets and who may use them, service accounts and their HMAC
// keys, the login of a service account, and as much of S3 as tells whether a key is accepted. It knows what package gcs asks, and no
// more: what it does not know is a violation.
//
// It is harsher than the cloud. What is new is not listed, granted or accepted for a while ([Config].Lag); a write without a
// precondition where one is possible is a violation; a page of a list holds two objects.
package gcstest
