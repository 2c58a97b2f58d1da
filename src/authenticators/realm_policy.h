#pragma once

#include <string>
#include <vector>

#include "foundation/http_url.h"
#include "foundation/result.h"

namespace inthub {

/// What decides whether a token service may be asked. A registry names its token service itself, so that a registry
/// that lies could otherwise have a credential sent anywhere, or have the hub ask addresses that only the hub can
/// reach.
struct RealmQuestion {
  HttpUrl registry;                ///< that sent the challenge
  HttpUrl realm;                   ///< where it says the token service is
  std::vector<std::string> allow;  ///< config.tokenRealmAllow: "host" or "host:port"
  bool with_credential = false;
  bool plaintext_allowed = false;  ///< config.allowPlaintextCredentials
};

/// The rules, in order:
///   - from an https registry to an http realm: never;
///   - the registry's own host, and what `allow` names: yes (Docker Hub's auth.docker.io is allowed for Docker Hub);
///   - localhost, and an IP literal that the default address policy refuses (loopback, private, link-local): never;
///   - any other host: without the credential only.
/// A credential goes over plain http only to loopback or where plaintext is allowed.
/// Pure. Errors: vendor_failure with reason "authentication.realm_refused", "authentication.realm_not_allowed" (field
/// "/tokenRealmAllow") or "authentication.plaintext_refused" (field "/allowPlaintextCredentials").
Result<void> check_realm(const RealmQuestion& question);

/// Whether a credential may travel to this URL: https, this machine, or plaintext allowed. Pure. Errors: as above.
Result<void> check_transport(const HttpUrl& url, bool plaintext_allowed);

}  // namespace inthub
