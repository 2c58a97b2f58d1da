#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace inthub::testing_support {

/// Holds requests and answers against an OpenAPI 3.1 document. Knows the part of JSON Schema that api/openapi.yaml uses
/// and throws std::logic_error on a keyword that it does not know, so that nothing in the document goes unchecked.
class OpenApiContract {
 public:
  explicit OpenApiContract(std::string_view json);

  struct Operation {
    std::string method;      ///< "GET"
    std::string path;        ///< "/api/v1/integrations/{id}"
    std::string permission;  ///< x-permission, empty for a public operation
    bool takes_body = false;
  };
  std::vector<Operation> operations() const;
  /// The template that matches a request's path, literal segments first; nullopt when there is none.
  std::optional<std::string> template_of(std::string_view path) const;

  struct AnswerView {
    int status = 0;
    std::string_view content_type;                      ///< without parameters; empty for an answer without a body
    const std::map<std::string, std::string>& headers;  ///< names in lower case
    std::string_view body;
  };
  /// What is wrong with the answer, one sentence each; empty when it is as documented. `exact_status`: the status must
  /// be listed, "default" does not do.
  std::vector<std::string> check_answer(std::string_view method, std::string_view path, const AnswerView& answer,
                                        bool exact_status = false) const;
  /// What is wrong with a request's JSON body; empty when the document accepts it.
  std::vector<std::string> check_request_body(std::string_view method, std::string_view path,
                                              const nlohmann::json& body) const;
  /// The example values of requests and answers that break their own schema.
  std::vector<std::string> check_examples() const;
  /// Every "$ref" that leads nowhere, and every component that nothing refers to.
  std::vector<std::string> check_references() const;

 private:
  const nlohmann::json& resolve(const nlohmann::json& node) const;
  const nlohmann::json* operation(std::string_view method, std::string_view path) const;
  void check(const nlohmann::json& schema, const nlohmann::json& value, const std::string& where,
             std::vector<std::string>& problems) const;
  void check_content_examples(const nlohmann::json& holder, const std::string& where,
                              std::vector<std::string>& problems) const;
  nlohmann::json document_;
};

}  // namespace inthub::testing_support
