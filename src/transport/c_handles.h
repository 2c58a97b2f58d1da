#pragma once

#include <memory>

#include <curl/curl.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

namespace inthub::transport {

template <auto Free>
struct CDeleter {
  template <class T>
  void operator()(T* pointer) const noexcept {
    Free(pointer);
  }
};
/// A C handle that is owned from its first breath.
template <class T, auto Free>
using CHandle = std::unique_ptr<T, CDeleter<Free>>;

using CurlEasy = CHandle<CURL, &curl_easy_cleanup>;
using CurlMulti = CHandle<CURLM, &curl_multi_cleanup>;
using CurlList = CHandle<curl_slist, &curl_slist_free_all>;
using Bio = CHandle<BIO, &BIO_free_all>;
using Certificate = CHandle<X509, &X509_free>;
using PrivateKey = CHandle<EVP_PKEY, &EVP_PKEY_free>;
using TrustStorePtr = std::shared_ptr<X509_STORE>;

}  // namespace inthub::transport
