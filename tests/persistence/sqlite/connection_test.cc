#include "persistence/sqlite/connection.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "support/temporary_directory.h"

namespace inthub::sqlite {
namespace {

class SqliteConnection : public testing::Test {
 protected:
  testing_support::TemporaryDirectory directory;
  Result<Connection> connection = Connection::open(directory.path() / "test.db", Access::read_write);
};

TEST_F(SqliteConnection, AStatementOutlivesItsPlaceInTheCache) {
  ASSERT_TRUE(connection);
  Result<Statement> first = connection->prepare("SELECT 4711");
  ASSERT_TRUE(first);
  for (std::size_t i = 0; i < 3 * kMaxCachedStatements; ++i) {
    EXPECT_EQ(connection->number("SELECT " + std::to_string(i)).value_or(-1), static_cast<std::int64_t>(i));
  }
  ASSERT_TRUE(first->step().value_or(false));
  EXPECT_EQ(first->integer(0), 4711);
}

TEST_F(SqliteConnection, AnEmptyTextIsNotNull) {
  ASSERT_TRUE(connection);
  Result<Statement> statement = connection->prepare("SELECT ?, ?, ?, ?");
  ASSERT_TRUE(statement);
  ASSERT_TRUE(statement->bind(std::string_view(), Blob{}, std::optional<Timestamp>(), std::string("a\0b", 3)).step());
  EXPECT_FALSE(statement->is_null(0));
  EXPECT_FALSE(statement->is_null(1));
  EXPECT_TRUE(statement->is_null(2));
  EXPECT_EQ(statement->string(3), std::string("a\0b", 3));
}

TEST_F(SqliteConnection, TooManyParametersAreAnErrorAtTheStep) {
  ASSERT_TRUE(connection);
  Result<Statement> statement = connection->prepare("SELECT ?");
  ASSERT_TRUE(statement);
  const Result<bool> row = statement->bind(1, 2).step();
  ASSERT_FALSE(row);
  EXPECT_EQ(row.error().code(), ErrorCode::internal);
}

TEST_F(SqliteConnection, AConstraintFailureSaysWhich) {
  ASSERT_TRUE(connection);
  ASSERT_TRUE(connection->execute("CREATE TABLE t (a TEXT UNIQUE); INSERT INTO t VALUES ('x')"));
  Result<Statement> statement = connection->prepare("INSERT INTO t VALUES (?)");
  ASSERT_TRUE(statement);
  const Result<void> done = statement->bind("x").run();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().reason(), "store.constraint");
  EXPECT_EQ(statement->constraint(), SQLITE_CONSTRAINT_UNIQUE);
  EXPECT_TRUE(statement->constraint_text().ends_with("t.a"));
}

TEST_F(SqliteConnection, AReadOnlyOneCannotWrite) {
  ASSERT_TRUE(connection);
  ASSERT_TRUE(connection->execute("CREATE TABLE t (a TEXT)"));
  Result<Connection> reader = Connection::open(directory.path() / "test.db", Access::read_only);
  ASSERT_TRUE(reader);
  const Result<void> done = reader->execute("INSERT INTO t VALUES ('x')");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::unavailable);
  EXPECT_EQ(done.error().reason(), "store.unavailable");
}

}  // namespace
}  // namespace inthub::sqlite
