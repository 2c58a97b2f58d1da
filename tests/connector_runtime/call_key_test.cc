#include "connector_runtime/call_key.h"

#include <gtest/gtest.h>

#include "connectors/connector.h"
#include "support/fake_random.h"

namespace inthub {
namespace {

ResolveRequest resolve(std::string image, std::string platform = "", bool strict = false) {
  return {.image_ref = std::move(image), .platform = std::move(platform), .strict = strict};
}

TEST(CallKey, EqualParametersMakeEqualKeys) {
  testing_support::FixedRandom random;
  const CallKeys keys(random);
  const IntegrationId id(Uuid{{1}});
  EXPECT_EQ(keys.of(id, 3, resolve("app:v1", "linux/arm64")), keys.of(id, 3, resolve("app:v1", "linux/arm64")));
}

TEST(CallKey, EveryDifferenceMakesAnotherKey) {
  testing_support::FixedRandom random;
  const CallKeys keys(random);
  const IntegrationId id(Uuid{{1}});
  const CallKey base = keys.of(id, 3, resolve("app:v1", "linux/arm64"));
  EXPECT_NE(base, keys.of(IntegrationId(Uuid{{2}}), 3, resolve("app:v1", "linux/arm64")));
  EXPECT_NE(base, keys.of(id, 4, resolve("app:v1", "linux/arm64")));
  EXPECT_NE(base, keys.of(id, 3, resolve("app:v2", "linux/arm64")));
  EXPECT_NE(base, keys.of(id, 3, resolve("app:v1", "linux/amd64")));
  EXPECT_NE(base, keys.of(id, 3, resolve("app:v1", "linux/arm64", true)));
  EXPECT_NE(base, keys.of(id, 3, resolve("app:v1linux", "/arm64"))) << "parts must not run into each other";
}

TEST(CallKey, LongParametersAreDistinguishedToTheLastByte) {
  testing_support::FixedRandom random;
  const CallKeys keys(random);
  const std::string long_name(5000, 'a');
  EXPECT_EQ(keys.of({}, 1, resolve(long_name + "x")), keys.of({}, 1, resolve(long_name + "x")));
  EXPECT_NE(keys.of({}, 1, resolve(long_name + "x")), keys.of({}, 1, resolve(long_name + "y")));
}

}  // namespace
}  // namespace inthub
