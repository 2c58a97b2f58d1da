// The one translation unit with Boost.Beast's separately compiled body (BOOST_BEAST_SEPARATE_COMPILATION).
#include <boost/beast/src.hpp>
