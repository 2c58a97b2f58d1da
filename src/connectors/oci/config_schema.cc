#include <stdexcept>

#include <nlohmann/json.hpp>

#include "connectors/oci/config.h"

namespace inthub::oci {
namespace {

constexpr std::string_view kSchemaText = R"json({
  "$schema": "http://json-schema.org/draft-07/schema#",
  "title": "OCI registry",
  "description": "A container registry that speaks the OCI distribution API (distribution, zot, Quay, GitLab, Gitea, Nexus, Artifactory and others).",
  "type": "object",
  "additionalProperties": false,
  "required": ["endpoint"],
  "properties": {
    "endpoint": {
      "type": "string",
      "title": "Endpoint",
      "description": "Base URL of the registry, without /v2/. A path prefix is kept: it comes before /v2/.",
      "format": "uri",
      "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^\\s]+$",
      "maxLength": 2048,
      "examples": ["https://registry.example.com", "https://repo.example.com/artifactory/api/docker/images"]
    },
    "authMode": {
      "type": "string",
      "title": "Authentication",
      "description": "token: user name and a password or token as the credential (HTTP Basic, or the registry's token service). oauth: the credential is a refresh token, exchanged at the registry's token service, or a bearer token where the registry has none. mtls: the credential is the private key of clientCertificate.",
      "enum": ["token", "oauth", "mtls"],
      "default": "token"
    },
    "username": {
      "type": "string",
      "title": "User name",
      "description": "Goes with the credential. Has no colon (RFC 7617).",
      "minLength": 1,
      "maxLength": 256,
      "pattern": "^[^:\\u0000-\\u001f\\u007f]+$",
      "examples": ["ci-reader", "robot$release"]
    },
    "timeout": {
      "type": "number",
      "title": "Timeout",
      "description": "Seconds for one exchange with the registry.",
      "exclusiveMinimum": 0,
      "maximum": 120,
      "default": 30
    },
    "retryPolicy": {
      "type": "object",
      "title": "Retries",
      "description": "How requests that change nothing are repeated after a failure that may pass.",
      "additionalProperties": false,
      "properties": {
        "maxAttempts": {
          "type": "integer",
          "title": "Attempts",
          "description": "Tries in all, the first included.",
          "minimum": 1,
          "maximum": 5,
          "default": 3
        },
        "initialDelayMs": {
          "type": "integer",
          "title": "First delay",
          "description": "Milliseconds before the second try, at most: the delay is drawn at random below it and grows.",
          "minimum": 10,
          "maximum": 60000,
          "default": 1000
        },
        "maxDelayMs": {
          "type": "integer",
          "title": "Longest delay",
          "description": "Milliseconds that no delay exceeds.",
          "minimum": 10,
          "maximum": 60000,
          "default": 60000
        }
      }
    },
    "customHeaders": {
      "type": "object",
      "title": "Extra headers",
      "description": "Sent with every request to the registry. Not for credentials: headers that carry one are refused.",
      "maxProperties": 32,
      "propertyNames": { "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$" },
      "additionalProperties": {
        "type": "string",
        "title": "Value",
        "description": "The header's value, without line ends.",
        "maxLength": 1024,
        "pattern": "^[^\\u0000-\\u0008\\u000a-\\u001f\\u007f]*$"
      },
      "examples": [{ "X-Team": "release" }]
    },
    "caBundle": {
      "type": "string",
      "title": "CA bundle",
      "description": "Certificates in PEM that are trusted for this registry, in addition to the system's.",
      "maxLength": 262144,
      "pattern": "-----BEGIN CERTIFICATE-----",
      "examples": ["-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"]
    },
    "clientCertificate": {
      "type": "string",
      "title": "Client certificate",
      "description": "Certificate chain in PEM, leaf first, for authMode mtls. The private key is the credential and never stands here.",
      "maxLength": 65536,
      "pattern": "-----BEGIN CERTIFICATE-----",
      "examples": ["-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"]
    },
    "proxy": {
      "type": "string",
      "title": "Proxy",
      "description": "http, https or socks5h URL of the proxy through which the registry is reached, without user name and password.",
      "format": "uri",
      "pattern": "^([Hh][Tt][Tt][Pp][Ss]?|socks5h)://[^\\s@]+$",
      "maxLength": 2048,
      "examples": ["http://proxy.example.com:3128"]
    },
    "noProxy": {
      "type": "array",
      "title": "No proxy for",
      "description": "Host names, .suffixes and CIDRs that are reached directly.",
      "maxItems": 64,
      "items": {
        "type": "string",
        "title": "Host",
        "description": "A host name, a suffix that begins with a dot, or a CIDR.",
        "minLength": 1,
        "maxLength": 253
      },
      "examples": [["localhost", ".internal.example.com", "10.0.0.0/8"]]
    },
    "insecure": {
      "type": "boolean",
      "title": "Plain http",
      "description": "Allows an http endpoint. Everything, the image digests included, can then be read and changed on the way.",
      "default": false
    },
    "allowPlaintextCredentials": {
      "type": "boolean",
      "title": "Credential over plain http",
      "description": "Allows the credential to be sent over plain http to a host other than this machine.",
      "default": false
    },
    "tokenRealmAllow": {
      "type": "array",
      "title": "Token service hosts",
      "description": "Hosts, with a port where it is not the usual one, that may receive the credential besides the registry itself: where the registry's token service runs.",
      "maxItems": 16,
      "items": {
        "type": "string",
        "title": "Host",
        "description": "host or host:port",
        "minLength": 1,
        "maxLength": 260,
        "pattern": "^(\\[[0-9A-Fa-f:]+\\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]{1,5})?$"
      },
      "examples": [["auth.example.com"]]
    },
    "repositories": {
      "type": "array",
      "title": "Repositories",
      "description": "What to list where the registry gives no catalog. Each name as in a pull command, without the host.",
      "maxItems": 1000,
      "uniqueItems": true,
      "items": {
        "type": "string",
        "title": "Repository",
        "description": "A repository's name",
        "minLength": 1,
        "maxLength": 255
      },
      "examples": [["team/app", "library/ubuntu"]]
    },
    "testRepository": {
      "type": "string",
      "title": "Test repository",
      "description": "The repository whose tags the connection test lists, to see that the credential may read. Without it the first of repositories, else the catalog.",
      "minLength": 1,
      "maxLength": 255,
      "examples": ["team/app"]
    },
    "platform": {
      "type": "string",
      "title": "Default platform",
      "description": "What the word default means where a platform is asked for. Without such a question the digest of the whole index is given.",
      "minLength": 3,
      "maxLength": 128,
      "default": "linux/amd64",
      "examples": ["linux/arm64", "linux/arm/v7"]
    }
  }
})json";

}  // namespace

JsonPtr config_schema() {
  static const JsonPtr schema = [] {
    auto parsed = parse_json(kSchemaText);
    if (!parsed) throw std::logic_error("the OCI config schema is not JSON: " + parsed.error().message());
    return share(*std::move(parsed));
  }();
  return schema;
}

}  // namespace inthub::oci
