#include <future>
#include <set>

#include "server/rest/rest_world.h"

namespace inthub::rest_test {
namespace {

using Violations = std::map<std::string, std::string>;

class Integrations : public testing::Test {
 protected:
  HttpAnswer post(const Json& body, RestWorld::Headers headers = {}) {
    return world_.send("POST", "/api/v1/integrations", body.dump(), std::move(headers));
  }
  Violations violations(const HttpAnswer& answer) {
    Violations found;
    EXPECT_EQ(answer.status, 422) << answer.body;
    if (answer.status != 422) return found;
    for (const Json& one : world_.error(answer).at("validationErrors")) found[one.at("field")] = one.at("code");
    return found;
  }
  std::vector<std::string> names(std::string_view query) {
    const HttpAnswer answer = world_.send("GET", "/api/v1/integrations" + std::string(query));
    EXPECT_EQ(answer.status, 200) << answer.body;
    std::vector<std::string> found;
    for (const Json& one : world_.data(answer)) found.push_back(one.at("name"));
    return found;
  }
  Json pagination(std::string_view query) {
    return world_.json(world_.send("GET", "/api/v1/integrations" + std::string(query))).at("meta").at("pagination");
  }
  RestWorld world_;
};

using Names = std::vector<std::string>;

TEST_F(Integrations, AreCreatedWithALocationAndAnETag) {
  const HttpAnswer created = post(RestWorld::draft("Production"));
  ASSERT_EQ(created.status, 201) << created.body;
  EXPECT_EQ(created.header("etag"), "\"1\"");
  const HttpAnswer read = world_.send("GET", created.header("location"), {}, {}, "read");
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(world_.data(read), world_.data(created));
  EXPECT_EQ(world_.data(read).at("credentialRef"), "authref://none");
  EXPECT_EQ(world_.data(read).at("tenantId"), RestWorld::tenant(1).to_string());
}

TEST_F(Integrations, RequestsOfTheseTestsAreAsDocumented) {
  EXPECT_EQ(world_.contract.check_request_body("POST", "/api/v1/integrations", RestWorld::draft("Production")),
            Names());
  EXPECT_EQ(world_.contract.check_request_body("POST", "/api/v1/integrations", Json{{"type", 1}}).size(), 3U);
}

TEST_F(Integrations, SecretIsNeverAnswered) {
  const std::string secret = "hunter2-correct-horse-battery";
  Json body = RestWorld::draft("Sealed");
  body["credentials"] = {{"secret", secret}};
  const HttpAnswer created = post(body);
  ASSERT_EQ(created.status, 201) << created.body;
  EXPECT_EQ(created.body.find(secret), std::string::npos);
  EXPECT_TRUE(world_.data(created).at("credentialRef").get<std::string>().starts_with("authref://local/"));
  EXPECT_EQ(world_.send("GET", created.header("location")).body.find(secret), std::string::npos);
}

TEST_F(Integrations, SecretInTheWrongPlaceIsNotEchoed) {
  const std::string secret = "hunter2-correct-horse-battery";
  for (const char* where : {"type", "name", "config", "credentials", "token"}) {
    Json body = RestWorld::draft("Leaky");
    body[where] = Json::array({secret});
    const HttpAnswer answer = post(body);
    EXPECT_EQ(answer.status, 422) << where;
    EXPECT_EQ(answer.body.find(secret), std::string::npos) << where;
  }
  Json body = RestWorld::draft("Leaky");
  body["credentials"] = {{"ref", secret}};
  const HttpAnswer answer = post(body);
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.body.find(secret), std::string::npos);
}

TEST_F(Integrations, EveryMistakeOfABodyIsReportedAtOnce) {
  const Json body{
      {"type", 7}, {"config", Json::array()}, {"credentials", {{"ref", 1}, {"password", "x"}}}, {"owner", "me"}};
  EXPECT_EQ(violations(post(body)), (Violations{{"/type", "type"},
                                                {"/name", "required"},
                                                {"/config", "type"},
                                                {"/credentials/ref", "type"},
                                                {"/credentials/password", "unknown_field"},
                                                {"/owner", "unknown_field"}}));
}

TEST_F(Integrations, RulesAreReportedTogetherWithTheShape) {
  Json body = RestWorld::draft("  blanks  ");
  body["config"] = {{"timeout", "soon"}};
  body["color"] = "red";
  const Violations found = violations(post(body));
  EXPECT_TRUE(found.contains("/name")) << "a rule beside the schema";
  EXPECT_TRUE(found.contains("/config/timeout")) << "the type's schema";
  EXPECT_TRUE(found.contains("/color")) << "the document's shape";
}

TEST_F(Integrations, CredentialsAreARefOrASecretAndNotBoth) {
  Json body = RestWorld::draft("Both");
  body["credentials"] = {{"ref", "authref://none"}, {"secret", "s3cret-value"}};
  EXPECT_TRUE(violations(post(body)).contains("/credentials"));
  body["credentials"] = Json::object();
  EXPECT_EQ(violations(post(body)), (Violations{{"/credentials", "required"}}));
  body["credentials"] = {{"secret", ""}};
  EXPECT_EQ(violations(post(body)), (Violations{{"/credentials/secret", "length"}}));
}

TEST_F(Integrations, NameIsUniquePerTenant) {
  world_.create("Production");
  const HttpAnswer again = post(RestWorld::draft("Production"));
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(world_.error(again).at("field"), "/name");
  EXPECT_EQ(world_.send("POST", "/api/v1/integrations", RestWorld::draft("Production").dump(), {}, "other").status,
            201);
}

TEST_F(Integrations, RepeatedCreateWithAKeyIsReplayed) {
  const RestWorld::Headers key{{"Idempotency-Key", "0b0f-1"}};
  const HttpAnswer first = post(RestWorld::draft("Once"), key);
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(first.header("idempotent-replayed"), "");
  const HttpAnswer second = post(RestWorld::draft("Once"), key);
  EXPECT_EQ(second.status, 201);
  EXPECT_EQ(second.header("idempotent-replayed"), "true");
  EXPECT_EQ(world_.data(second), world_.data(first));
  EXPECT_EQ(second.header("location"), first.header("location"));
  EXPECT_EQ(names(""), Names{"Once"});
}

TEST_F(Integrations, KeyOfAnotherRequestIsAConflict) {
  const RestWorld::Headers key{{"Idempotency-Key", "0b0f-1"}};
  post(RestWorld::draft("Once"), key);
  const HttpAnswer other = post(RestWorld::draft("Twice"), key);
  EXPECT_EQ(other.status, 409);
  EXPECT_EQ(world_.error(other).at("reason"), "idempotency.key_reused");
}

TEST_F(Integrations, SameKeyOfAnotherTenantIsAnotherKey) {
  const RestWorld::Headers key{{"Idempotency-Key", "0b0f-1"}};
  post(RestWorld::draft("Once"), key);
  const HttpAnswer other = world_.send("POST", "/api/v1/integrations", RestWorld::draft("Once").dump(), key, "other");
  EXPECT_EQ(other.status, 201);
  EXPECT_EQ(other.header("idempotent-replayed"), "");
}

TEST_F(Integrations, SameRequestSentTwiceAtOnceCreatesOne) {
  const RestWorld::Headers key{{"Idempotency-Key", "race"}};
  auto other = std::async(std::launch::async, [&] { return post(RestWorld::draft("Once"), key); });
  const HttpAnswer one = post(RestWorld::draft("Once"), key);
  const HttpAnswer two = other.get();
  EXPECT_EQ(one.status, 201) << one.body;
  EXPECT_EQ(two.status, 201) << two.body;
  EXPECT_EQ(world_.data(one).at("id"), world_.data(two).at("id"));
}

TEST_F(Integrations, MalformedIdempotencyKeyIsRefused) {
  for (const std::string& key : {std::string(256, 'k'), std::string("two words"), std::string("caf\xC3\xA9")}) {
    const HttpAnswer answer = post(RestWorld::draft("Once"), {{"Idempotency-Key", key}});
    EXPECT_EQ(answer.status, 400) << key;
    EXPECT_EQ(world_.error(answer).at("field"), "Idempotency-Key");
  }
  EXPECT_EQ(post(RestWorld::draft("Once"), {{"Idempotency-Key", std::string(255, 'k')}}).status, 201);
}

TEST_F(Integrations, UnchangedOneIsNotSentAgain) {
  const std::string id = world_.create("Production");
  for (const char* condition : {"\"1\"", "W/\"1\"", "\"7\", \"1\"", "*"}) {
    const HttpAnswer answer = world_.send("GET", RestWorld::path(id), {}, {{"If-None-Match", condition}});
    EXPECT_EQ(answer.status, 304) << condition;
    EXPECT_EQ(answer.body, "");
    EXPECT_EQ(answer.header("etag"), "\"1\"");
  }
  for (const char* condition : {"\"2\"", "1", "\"1"}) {
    EXPECT_EQ(world_.send("GET", RestWorld::path(id), {}, {{"If-None-Match", condition}}).status, 200) << condition;
  }
}

TEST_F(Integrations, HeadAnswersWhatGetWouldWithoutTheBody) {
  const std::string id = world_.create("Production");
  const HttpAnswer get = world_.send("GET", RestWorld::path(id));
  const HttpAnswer head = world_.send("HEAD", RestWorld::path(id));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(head.header("etag"), get.header("etag"));
  EXPECT_EQ(head.header("content-type"), get.header("content-type"));
}

TEST_F(Integrations, UpdateReplacesNameAndConfigAndKeepsTheCredential) {
  Json body = RestWorld::draft("Before");
  body["credentials"] = {{"ref", "authref://env/INTHUB_SECRET_X"}};
  const Json created = world_.data(post(body));
  const Json change{{"name", "After"}, {"config", {{"endpoint", "https://vendor.example/v2"}}}};
  const HttpAnswer answer = world_.send("PUT", RestWorld::path(created.at("id")), change.dump());
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.header("etag"), "\"2\"");
  const Json updated = world_.data(answer);
  EXPECT_EQ(updated.at("name"), "After");
  EXPECT_EQ(updated.at("config"), change.at("config"));
  EXPECT_EQ(updated.at("credentialRef"), created.at("credentialRef"));
  EXPECT_EQ(world_.data(world_.send("GET", RestWorld::path(created.at("id")))), updated);
}

TEST_F(Integrations, UpdateCanReplaceTheCredential) {
  const std::string id = world_.create("Production");
  Json change = RestWorld::draft("Production");
  change["credentials"] = {{"secret", "a-new-secret"}};
  const HttpAnswer answer = world_.send("PUT", RestWorld::path(id), change.dump());
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_TRUE(world_.data(answer).at("credentialRef").get<std::string>().starts_with("authref://local/"));
}

TEST_F(Integrations, TypeCannotChange) {
  const std::string id = world_.create("Production");
  const HttpAnswer answer =
      world_.send("PUT", RestWorld::path(id), RestWorld::draft("Production", "scm.modest").dump());
  EXPECT_EQ(violations(answer), (Violations{{"/type", "immutable"}}));
}

TEST_F(Integrations, UpdateReportsShapeAndRulesTogether) {
  const std::string id = world_.create("Production");
  const Json change{{"name", "Production"}, {"config", {{"timeout", 0}}}, {"id", id}};
  const Violations found = violations(world_.send("PUT", RestWorld::path(id), change.dump()));
  EXPECT_TRUE(found.contains("/id"));
  EXPECT_TRUE(found.contains("/config/timeout"));
  EXPECT_FALSE(found.contains("/type"));
}

TEST_F(Integrations, StaleRevisionIsRefused) {
  const std::string id = world_.create("Production");
  const std::string change = RestWorld::draft("Changed").dump();
  EXPECT_EQ(world_.send("PUT", RestWorld::path(id), change, {{"If-Match", "\"1\""}}).status, 200);
  const HttpAnswer stale = world_.send("PUT", RestWorld::path(id), change, {{"If-Match", "\"1\""}});
  EXPECT_EQ(stale.status, 412);
  EXPECT_EQ(world_.error(stale).at("code"), "stale_revision");
  for (const char* never : {"W/\"2\"", "\"abc\"", "\"02\"", "\"7\", \"8\""}) {
    EXPECT_EQ(world_.send("PUT", RestWorld::path(id), change, {{"If-Match", never}}).status, 412) << never;
    EXPECT_EQ(world_.send("DELETE", RestWorld::path(id), {}, {{"If-Match", never}}).status, 412) << never;
  }
  EXPECT_EQ(world_.send("PUT", RestWorld::path(id), change, {{"If-Match", "\"1\", \"2\""}}).status, 200);
  EXPECT_EQ(world_.send("PUT", RestWorld::path(id), change, {{"If-Match", "*"}}).status, 200);
}

TEST_F(Integrations, MalformedIfMatchIsRefused) {
  const std::string id = world_.create("Production");
  for (const char* header : {"1", "\"1", "", "\"1\" \"2\"", "\"1\",", "w/\"1\""}) {
    const HttpAnswer answer =
        world_.send("PUT", RestWorld::path(id), RestWorld::draft("Changed").dump(), {{"If-Match", header}});
    EXPECT_EQ(answer.status, 400) << header;
    EXPECT_EQ(world_.error(answer).at("field"), "If-Match");
  }
}

TEST_F(Integrations, OfConcurrentConditionalUpdatesOneWins) {
  const std::string id = world_.create("Production");
  std::vector<std::future<int>> writers;
  for (int i = 0; i < 4; ++i) {
    writers.push_back(std::async(std::launch::async, [&, i] {
      return world_
          .send("PUT", RestWorld::path(id), RestWorld::draft("Writer " + std::to_string(i)).dump(),
                {{"If-Match", "\"1\""}})
          .status;
    }));
  }
  std::multiset<int> statuses;
  for (auto& writer : writers) statuses.insert(writer.get());
  EXPECT_EQ(statuses, (std::multiset<int>{200, 412, 412, 412}));
}

TEST_F(Integrations, DeletedOneIsGone) {
  const std::string id = world_.create("Production");
  const HttpAnswer deleted = world_.send("DELETE", RestWorld::path(id), {}, {{"If-Match", "\"1\""}});
  EXPECT_EQ(deleted.status, 204);
  EXPECT_EQ(deleted.body, "");
  EXPECT_EQ(world_.send("GET", RestWorld::path(id)).status, 404);
  EXPECT_EQ(world_.send("DELETE", RestWorld::path(id)).status, 404);
  EXPECT_EQ(world_.send("PUT", RestWorld::path(id), RestWorld::draft("Production").dump()).status, 404);
}

TEST_F(Integrations, OfAnotherTenantAreNotFound) {
  const std::string id = world_.create("Mine");
  EXPECT_EQ(world_.send("GET", RestWorld::path(id)).status, 200) << "warms the read model";
  EXPECT_EQ(world_.send("GET", RestWorld::path(id), {}, {}, "other").status, 404);
  EXPECT_EQ(world_.send("PUT", RestWorld::path(id), RestWorld::draft("Stolen").dump(), {}, "other").status, 404);
  EXPECT_EQ(world_.send("DELETE", RestWorld::path(id), {}, {}, "other").status, 404);
  EXPECT_EQ(world_.data(world_.send("GET", "/api/v1/integrations", {}, {}, "other")).size(), 0U);
  EXPECT_EQ(world_.data(world_.send("GET", "/api/v1/integrations?name=Mine", {}, {}, "other")).size(), 0U);
}

TEST_F(Integrations, IdsThatAreNoneAreNotFound) {
  for (const char* id : {"00000000-0000-7000-8000-000000000099", "not-a-uuid", "%00", "..", "0%2F0", "%F0%9F%92%A9"}) {
    const HttpAnswer answer = world_.send("GET", RestWorld::path(id));
    EXPECT_TRUE(answer.status == 404 || answer.status == 400) << id << ' ' << answer.status;
  }
  EXPECT_EQ(world_.send("GET", RestWorld::path("not-a-uuid")).status, 404);
}

TEST_F(Integrations, AreListedSortedAndFiltered) {
  world_.create("beta");
  world_.clock.advance(std::chrono::seconds(1));
  world_.create("alpha");
  world_.clock.advance(std::chrono::seconds(1));
  world_.create("gamma", "scm.modest");
  EXPECT_EQ(names(""), (Names{"alpha", "beta", "gamma"}));
  EXPECT_EQ(names("?sort=-name"), (Names{"gamma", "beta", "alpha"}));
  EXPECT_EQ(names("?sort=createdAt"), (Names{"beta", "alpha", "gamma"}));
  EXPECT_EQ(names("?sort=-updatedAt"), (Names{"gamma", "alpha", "beta"}));
  EXPECT_EQ(names("?family=registry"), (Names{"alpha", "beta"}));
  EXPECT_EQ(names("?type=scm.modest"), Names{"gamma"});
  EXPECT_EQ(names("?q=MM"), Names{"gamma"});
  EXPECT_EQ(names("?health=healthy"), Names());
  EXPECT_EQ(names("?name=alpha"), Names{"alpha"});
  EXPECT_EQ(names("?name=alph"), Names());
  EXPECT_EQ(names("?name=alpha&family=scm"), Names());
  EXPECT_EQ(names("?name=alpha&page=2"), Names());
}

TEST_F(Integrations, PagesTellWhereTheyAre) {
  for (const char* name : {"a", "b", "c", "d", "e"}) world_.create(name);
  EXPECT_EQ(names("?page=2&pageSize=2"), (Names{"c", "d"}));
  EXPECT_EQ(pagination("?page=2&pageSize=2").at("totalItems"), 5);
  EXPECT_EQ(pagination("?page=2&pageSize=2").at("totalPages"), 3);
  EXPECT_EQ(pagination("?page=2&pageSize=2").at("hasNext"), true);
  EXPECT_EQ(pagination("?page=3&pageSize=2").at("hasNext"), false);
  EXPECT_EQ(pagination("?page=1&pageSize=2").at("hasPrevious"), false);
  EXPECT_EQ(names("?page=9&pageSize=2"), Names());
}

TEST_F(Integrations, CursorLeadsThroughAllOfThem) {
  for (const char* name : {"a", "b", "c", "d", "e"}) world_.create(name);
  Names seen;
  std::string query = "?pageSize=2&sort=-name";
  for (int pages = 0; pages < 10; ++pages) {
    for (std::string& name : names(query)) seen.push_back(std::move(name));
    const Json meta = pagination(query);
    if (meta.at("nextCursor").is_null()) {
      EXPECT_EQ(meta.at("hasNext"), false);
      break;
    }
    EXPECT_EQ(meta.at("hasNext"), true);
    query = "?pageSize=2&sort=-name&cursor=" + meta.at("nextCursor").get<std::string>();
  }
  EXPECT_EQ(seen, (Names{"e", "d", "c", "b", "a"}));
}

TEST_F(Integrations, CursorThatIsNoneIsRefused) {
  EXPECT_EQ(world_.send("GET", "/api/v1/integrations?cursor=nonsense").status, 400);
  EXPECT_EQ(violations(world_.send("GET", "/api/v1/integrations?cursor=x&page=2")),
            (Violations{{"cursor", "exclusive"}}));
}

TEST_F(Integrations, BadPagingNamesTheBounds) {
  for (const char* query : {"?pageSize=201", "?pageSize=0", "?pageSize=-1", "?pageSize=ten", "?pageSize=1e3",
                            "?pageSize=99999999999999999999", "?pageSize=%2B5"}) {
    const HttpAnswer answer = world_.send("GET", "/api/v1/integrations" + std::string(query));
    EXPECT_EQ(violations(answer), (Violations{{"pageSize", "range"}})) << query;
    EXPECT_NE(answer.body.find("from 1 to 200"), std::string::npos) << query;
  }
  EXPECT_EQ(violations(world_.send("GET", "/api/v1/integrations?page=0&pageSize=999&sort=color&health=sick")),
            (Violations{{"health", "enum"}, {"page", "range"}, {"pageSize", "range"}, {"sort", "enum"}}));
}

TEST_F(Integrations, UnknownAndRepeatedQueryParametersAreNamed) {
  const HttpAnswer unknown = world_.send("GET", "/api/v1/integrations?pagesize=5&page=1&frsh=1");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_NE(world_.error(unknown).at("message").get<std::string>().find("pagesize, frsh"), std::string::npos);
  EXPECT_NE(world_.error(unknown).at("remedy").get<std::string>().find("pageSize"), std::string::npos);
  EXPECT_EQ(world_.error(world_.send("GET", "/api/v1/integrations?page=1&page=2")).at("reason"),
            "query.duplicate_parameter");
  EXPECT_EQ(world_.error(world_.send("GET", "/api/v1/integrations?q=%zz")).at("reason"), "query.malformed");
  EXPECT_EQ(world_.send("GET", "/api/v1/integrations?q=%00").status, 400);
  EXPECT_EQ(world_.send("GET", "/api/v1/integrations?q=%FF").status, 400);
  EXPECT_EQ(world_.send("GET", "/api/v1/integrations?q=" + std::string(3000, 'a')).status, 400);
}

TEST_F(Integrations, ValidateAnswersTheQuestion) {
  EXPECT_EQ(
      world_.data(world_.send("POST", "/api/v1/integrations:validate", RestWorld::draft("Good").dump(), {}, "read")),
      Json::parse(R"({"valid":true,"validationErrors":[]})"));
  const HttpAnswer bad =
      world_.send("POST", "/api/v1/integrations:validate", R"({"type":"registry.scripted","config":{}})");
  EXPECT_EQ(bad.status, 200);
  EXPECT_EQ(world_.data(bad).at("valid"), false);
  std::set<std::string> fields;
  for (const Json& one : world_.data(bad).at("validationErrors")) fields.insert(one.at("field"));
  EXPECT_TRUE(fields.contains("/name"));
  EXPECT_EQ(fields.size(), 2U) << bad.body;
  EXPECT_EQ(names(""), Names()) << "nothing is stored";
}

TEST_F(Integrations, DraftCanBeTestedBeforeItHasAName) {
  Json body = RestWorld::draft("unused");
  body.erase("name");
  const HttpAnswer answer = world_.send("POST", "/api/v1/integrations:test", body.dump());
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(world_.data(answer).at("success"), true);
  EXPECT_EQ(names(""), Names()) << "nothing is stored";
  EXPECT_EQ(world_.send("POST", "/api/v1/integrations:test", body.dump(), {}, "use").status, 403);
  body["config"] = Json::object();
  EXPECT_TRUE(!violations(world_.send("POST", "/api/v1/integrations:test", body.dump())).empty());
}

struct BadBody {
  std::string name;
  std::string body;
  int status;
  std::string reason;
};
class BadBodies : public testing::TestWithParam<BadBody> {};
TEST_P(BadBodies, AreRefusedByEveryRouteThatTakesOne) {
  RestWorld world;
  const std::string id = world.create("Production");
  const std::vector<std::pair<std::string, std::string>> routes{
      {"POST", "/api/v1/integrations"},          {"POST", "/api/v1/integrations:test"},
      {"POST", "/api/v1/integrations:validate"}, {"PUT", RestWorld::path(id)},
      {"POST", RestWorld::path(id, "/resolve")}, {"POST", RestWorld::path(id, "/verify")}};
  for (const auto& [method, target] : routes) {
    const HttpAnswer answer = world.send(method, target, GetParam().body);
    EXPECT_EQ(answer.status, GetParam().status) << target;
    if (!GetParam().reason.empty()) EXPECT_EQ(world.error(answer).at("reason"), GetParam().reason) << target;
  }
}
INSTANTIATE_TEST_SUITE_P(
    Bodies, BadBodies,
    testing::Values(BadBody{"Empty", "", 400, "body.missing"}, BadBody{"NotJson", "{\"type\":", 400, "json.malformed"},
                    BadBody{"Trailing", "{} {}", 400, "json.malformed"},
                    BadBody{"InvalidUtf8", "{\"name\":\"\xFF\"}", 400, "json.malformed"},
                    BadBody{"DeepNesting", std::string(100'000, '[') + std::string(100'000, ']'), 400, "json.too_deep"},
                    BadBody{"DuplicateKey", R"({"name":"a","name":"b"})", 400, "json.duplicate_key"},
                    BadBody{"TenMebibytes", std::string(std::size_t{10} << 20, ' '), 413, ""}),
    [](const auto& test) { return test.param.name; });

TEST_F(Integrations, BodyThatIsNoObjectIsAViolationOfTheWhole) {
  for (const char* body : {"[]", "\"x\"", "5", "null", "true"}) {
    EXPECT_EQ(violations(world_.send("POST", "/api/v1/integrations", body)).begin()->first, "") << body;
  }
}

TEST_F(Integrations, ViolationsOfAHostileBodyAreBounded) {
  Json body = RestWorld::draft("Hostile");
  for (int i = 0; i < 5000; ++i) body["member" + std::to_string(i)] = i;
  EXPECT_LE(world_.error(post(body)).at("validationErrors").size(), 110U);
}

struct Protected {
  std::string name;
  std::string method;
  std::string target;
  std::string weaker;  ///< the strongest token that does not do
};
class Permissions : public testing::TestWithParam<Protected> {};
TEST_P(Permissions, AreNeeded) {
  RestWorld world;
  const std::string id = world.create("Production");
  std::string target = GetParam().target;
  if (const std::size_t at = target.find("{id}"); at != std::string::npos) target.replace(at, 4, id);
  EXPECT_EQ(world.send_plain(GetParam().method, target).status, 401) << "no token";
  EXPECT_EQ(world.send(GetParam().method, target, {}, {}, "nonsense").status, 401) << "wrong token";
  if (!GetParam().weaker.empty()) {
    const HttpAnswer answer = world.send(GetParam().method, target, {}, {}, GetParam().weaker);
    EXPECT_EQ(answer.status, 403);
    EXPECT_EQ(world.error(answer).at("code"), "permission_denied");
  }
  EXPECT_EQ(world.send("GET", RestWorld::path(id)).status, 200) << "nothing was done";
}
INSTANTIATE_TEST_SUITE_P(Routes, Permissions,
                         testing::Values(Protected{"Types", "GET", "/api/v1/integration-types", ""},
                                         Protected{"Type", "GET", "/api/v1/integration-types/scm.modest", ""},
                                         Protected{"List", "GET", "/api/v1/integrations", ""},
                                         Protected{"Create", "POST", "/api/v1/integrations", "use"},
                                         Protected{"TestDraft", "POST", "/api/v1/integrations:test", "use"},
                                         Protected{"Validate", "POST", "/api/v1/integrations:validate", ""},
                                         Protected{"Get", "GET", "/api/v1/integrations/{id}", ""},
                                         Protected{"Update", "PUT", "/api/v1/integrations/{id}", "use"},
                                         Protected{"Delete", "DELETE", "/api/v1/integrations/{id}", "use"},
                                         Protected{"Test", "POST", "/api/v1/integrations/{id}/test", "read"},
                                         Protected{"Health", "GET", "/api/v1/integrations/{id}/health", ""},
                                         Protected{"Resources", "GET", "/api/v1/integrations/{id}/resources", "read"},
                                         Protected{"Resolve", "POST", "/api/v1/integrations/{id}/resolve", "read"},
                                         Protected{"Manifest", "GET", "/api/v1/integrations/{id}/manifest", "read"},
                                         Protected{"Verify", "POST", "/api/v1/integrations/{id}/verify", "read"}),
                         [](const auto& test) { return test.param.name; });

TEST_F(Integrations, MethodThatAPathLacksIsNamedWithThoseItHas) {
  const HttpAnswer answer = world_.send("PATCH", "/api/v1/integrations");
  EXPECT_EQ(answer.status, 405);
  EXPECT_NE(answer.header("allow").find("POST"), std::string::npos);
}

TEST_F(Integrations, BodyOfAnotherMediaTypeIsRefused) {
  const HttpAnswer answer =
      world_.send_plain("POST", "/api/v1/integrations", "type=x",
                        {{"Authorization", "Bearer manage"}, {"Content-Type", "application/x-www-form-urlencoded"}});
  EXPECT_EQ(answer.status, 415);
}

TEST_F(Integrations, RequestIdIsEchoed) {
  const HttpAnswer answer = world_.send("GET", "/api/v1/integrations", {}, {{"X-Request-Id", "release-42"}});
  EXPECT_EQ(answer.header("x-request-id"), "release-42");
  EXPECT_EQ(world_.json(answer).at("meta").at("requestId"), "release-42");
}

}  // namespace
}  // namespace inthub::rest_test
